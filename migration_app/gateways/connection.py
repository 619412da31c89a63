"""Connections to both APIs, from the environment. Keys live here and in the SDK's client, nowhere else.

Must not import Django, models or services.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping

import httpx2
import openai
from openai._types import RequestOptions

from migration_app.contracts import JsonObject
from migration_app.gateways.errors import NotConfiguredError, from_sdk, from_transport, unreadable_answer

_READ_RETRIES = 2
_OPENAI = "https://api.openai.com/v1"


Query = dict[str, str | int | list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer: its bytes as received, decoded, and the server's request id."""

    raw: bytes
    value: JsonObject
    request_id: str


class Connection:
    """One API. Reads are tried again by the SDK (they do no harm twice); writes never are."""

    def __init__(self, client: openai.OpenAI, headers: Mapping[str, str | openai.Omit]) -> None:
        self._client = client
        # With each call, not as the client's defaults: only here may Authorization be left out (SDK 3.54).
        self._headers = headers

    def close(self) -> None:
        """Close the connection pool."""
        self._client.close()

    def get(self, path: str, query: Mapping[str, str | int | list[str]] | None = None) -> Answer:
        """Read. Lists in the query are spelt as the SDK does (``include[]=a&include[]=b``). Raises GatewayError."""
        options: RequestOptions = {"max_retries": _READ_RETRIES, "headers": self._headers}
        if query:
            options["params"] = dict(query)
        return self._call(lambda: self._client.get(path, cast_to=httpx2.Response, options=options))

    def post(self, path: str, body: JsonObject) -> Answer:
        """Write, once. Raises GatewayError; its ``outcome`` says whether the server may have acted."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        options: RequestOptions = {
            "max_retries": 0,
            "headers": {**self._headers, "Content-Type": "application/json"},
        }
        return self._call(
            lambda: self._client.post(path, cast_to=httpx2.Response, content=content, options=options)
        )

    def _call(self, send: Callable[[], httpx2.Response]) -> Answer:
        try:
            response = send()
        except openai.APIError as error:
            raise from_sdk(error) from None
        except httpx2.HTTPError as error:  # a body that breaks off is not always wrapped by the SDK
            raise from_transport(error) from None
        request_id = response.headers.get("x-request-id", "")[:128]
        try:
            value = json.loads(response.content)
        except ValueError:
            raise unreadable_answer("not JSON", request_id) from None
        if not isinstance(value, dict):
            raise unreadable_answer("not a JSON object", request_id)
        return Answer(raw=response.content, value=value, request_id=request_id)


def target_connection(*, timeout_seconds: float) -> Connection:
    """Connect to the target by the SDK's own variables (OPENAI_API_KEY, OPENAI_BASE_URL, …)."""
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key:
        raise NotConfiguredError("OPENAI_API_KEY is not set where the worker runs.")
    # Set but empty (a copied .env.example) must mean absent, not an empty header or address.
    headers = {
        header: openai.Omit()
        for header, variable in (
            ("OpenAI-Organization", "OPENAI_ORG_ID"),
            ("OpenAI-Project", "OPENAI_PROJECT_ID"),
        )
        if not os.environ.get(variable)
    }
    return _connect(
        api_key=key,
        base_url=os.environ.get("OPENAI_BASE_URL") or _OPENAI,
        headers=headers,
        query={},
        timeout_seconds=timeout_seconds,
    )


def source_connection(*, base_url: str, api_version: str, timeout_seconds: float) -> Connection:
    """Connect to the live source: SOURCE_API_KEY and SOURCE_AUTH from the environment, the rest handed in."""
    key = os.environ.get("SOURCE_API_KEY", "")
    if not base_url or not key:
        raise NotConfiguredError("SOURCE_BASE_URL and SOURCE_API_KEY must be set where the worker runs.")
    scheme = os.environ.get("SOURCE_AUTH") or "bearer"
    if scheme not in {"bearer", "api-key"}:
        raise NotConfiguredError(f"SOURCE_AUTH is {scheme!r}: use bearer or api-key.")
    headers: dict[str, str | openai.Omit] = {
        "OpenAI-Beta": "assistants=v2",
        # The target's organization and project mean nothing to another server.
        "OpenAI-Organization": openai.Omit(),
        "OpenAI-Project": openai.Omit(),
    }
    if scheme == "api-key":
        headers |= {"api-key": key, "Authorization": openai.Omit()}
    return _connect(
        api_key=key,
        base_url=base_url,
        headers=headers,
        query={"api-version": api_version} if api_version else {},
        timeout_seconds=timeout_seconds,
    )


def _connect(
    *,
    api_key: str,
    base_url: str,
    headers: Mapping[str, str | openai.Omit],
    query: Mapping[str, str],
    timeout_seconds: float,
) -> Connection:
    if not base_url.startswith(("http://", "https://")):
        raise NotConfiguredError(f"The base URL {base_url!r} must begin with http:// or https://.")
    return Connection(
        openai.OpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout_seconds,
            max_retries=0,
            default_query=dict(query),
        ),
        headers,
    )
