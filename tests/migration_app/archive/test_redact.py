"""Secrets go before anything is stored; words of people stay."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from migration_app.archive.redact import REDACTED, redact, redacted_document
from migration_app.contracts import JsonObject


def redacted(value: JsonObject) -> Any:
    return redact(value)[0]


def test_header_values_go_and_their_names_stay() -> None:
    value = {"tool_resources": {"mcp": [{"server_label": "shop", "headers": {"X-Own": "s3cret", "n": 7}}]}}
    assert redacted(value) == {
        "tool_resources": {"mcp": [{"server_label": "shop", "headers": {"X-Own": REDACTED, "n": REDACTED}}]}
    }


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "api_key",
        "apiKey",
        "x-api-key",
        "token",
        "password",
        "client_secret",
        "connection_id",
        "connectionString",
        "outputqueueuri",
    ],
)
def test_values_with_secret_names_go(name: str) -> None:
    value = {"tools": [{"type": "other", "other": {name: "s3cret", "kept": "text"}}]}
    assert redacted(value) == {"tools": [{"type": "other", "other": {name: REDACTED, "kept": "text"}}]}


def test_a_login_in_a_server_url_goes() -> None:
    value = {"tools": [{"type": "mcp", "server_url": "https://me:pw@tools.example/x"}]}
    assert redacted(value) == {
        "tools": [{"type": "mcp", "server_url": f"https://{REDACTED}@tools.example/x"}]
    }


@pytest.mark.parametrize(
    "value",
    [
        {"content": [{"type": "text", "text": {"value": "password: hunter2", "token": "x"}}]},
        {"metadata": {"token": "till-7"}},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"parameters": {"properties": {"password": {"type": "string"}}}},
                }
            ]
        },
        {
            "step_details": {
                "tool_calls": [{"function": {"arguments": '{"api_key": "x"}', "output": "token"}}]
            }
        },
        {"usage": {"completion_tokens": 7}, "max_prompt_tokens": 9},
        {"tool_resources": {"mcp": [{"headers": {}}]}},
        {"tools": [{"headers": None, "token": ""}]},
    ],
)
def test_words_schemas_and_empty_values_stay(value: JsonObject) -> None:
    assert redact(value) == (value, False)


def test_objects_in_lists_and_bundles_are_redacted_too() -> None:
    value = {"data": [{"runs": [{"tool_resources": {"mcp": [{"headers": {"a": "b"}}]}}]}]}
    assert redacted(value)["data"][0]["runs"][0]["tool_resources"]["mcp"][0]["headers"] == {"a": REDACTED}


def test_a_document_without_secrets_keeps_its_bytes() -> None:
    raw = b'{"b":  1, "token_count": 3}'
    assert redacted_document(raw, {"b": 1, "token_count": 3}) == (raw, {"b": 1, "token_count": 3}, False)


def test_a_document_with_secrets_is_written_out_without_them() -> None:
    raw, _value, changed = redacted_document(b'{"tools": [{"token": "abc"}]}', {"tools": [{"token": "abc"}]})
    assert (raw, changed) == (b'{"tools": [{"token": "[redacted]"}]}', True)


def test_headers_written_as_a_list_go_too() -> None:
    value = {"tools": [{"headers": [{"X-Own": "s3cret"}, "Bearer s3cret", None, True]}]}
    assert redacted(value) == {"tools": [{"headers": [{"X-Own": REDACTED}, REDACTED, None, True]}]}


def test_connection_ids_under_longer_names_are_taken_out_too() -> None:
    search = {"indexes": [{"index_connection_id": "/subscriptions/0/x", "index_name": "care"}]}
    clean, redacted = redact(
        {"id": "asst_1", "tools": [{"type": "azure_ai_search", "azure_ai_search": search}]}
    )
    assert redacted
    assert clean["tools"][0]["azure_ai_search"]["indexes"] == [
        {"index_connection_id": "[redacted]", "index_name": "care"}
    ]


# --- every name ---------------------------------------------------------------------------------------

NAMES = [
    *("access_key", "access_token", "account_key", "api_key", "authorization", "bearer_token"),
    *("client_secret", "connection_string", "headers", "output_queue_uri", "password", "refresh_token"),
    *("sas_token", "secret", "token", "x_api_key"),
    *("shop_api_key", "proxy_authorization", "search_connection_id", "db_password", "app_secret"),
]


@pytest.mark.parametrize("write", [str, str.upper, lambda name: name.replace("_", "")])
@pytest.mark.parametrize("name", [*NAMES, *(name.replace("_", "-") for name in NAMES if "_" in name)])
def test_a_document_is_searched_for_every_secret_name_however_it_is_written(
    name: str, write: Callable[[str], str]
) -> None:
    value = {"tools": [{write(name): "s3cret"}]}
    raw, clean, changed = redacted_document(json.dumps(value).encode(), value)
    assert (clean, changed) == ({"tools": [{write(name): REDACTED}]}, True)
    assert b"s3cret" not in raw


def test_a_name_with_escaped_letters_is_found_too() -> None:
    raw = ('{"tools": [{"' + "".join(f"\\u{ord(each):04X}" for each in "secret") + '": "s3cret"}]}').encode()
    assert redacted_document(raw, json.loads(raw))[1] == {"tools": [{"secret": REDACTED}]}


def test_a_secret_is_found_beside_any_number_of_other_names() -> None:
    value = {"tools": [{**{f"name_{number}": number for number in range(200)}, "token": "s3cret"}]}
    assert redacted(value)["tools"][0]["token"] == REDACTED


@pytest.mark.parametrize(
    "name",
    [
        *(
            "arguments",
            "attributes",
            "content",
            "functions",
            "input",
            "instructions",
            "json_schema",
            "metadata",
        ),
        *("output", "outputs", "parameters", "properties", "response_format", "schema", "spec"),
    ],
)
def test_what_holds_text_of_people_or_schemas_is_never_searched(name: str) -> None:
    value = {"tools": [{name: {"token": "a word", "password": {"type": "string"}}}]}
    assert redact(value) == (value, False)


@pytest.mark.parametrize("name", ["server_url", "url", "endpoint"])
def test_a_login_goes_from_every_address(name: str) -> None:
    value = {"tools": [{name: "https://me:pw@tools.example/x"}]}
    raw, _clean, changed = redacted_document(json.dumps(value).encode(), value)
    assert changed
    assert b"me:pw" not in raw
    assert redact({"tools": [{name: "https://tools.example/a@b"}]})[1] is False
    assert redact({"tools": [{"name": "https://me:pw@tools.example/x"}]})[1] is False
