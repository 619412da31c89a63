"""The words that the migration writes itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.conversion.items.call_notes import call_note
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import (
    NOTE_BEGINS,
    attachment_text,
    call_text,
    developer_image_text,
    image_text,
    named_file,
    plain,
    section,
)


@pytest.mark.parametrize("name", ["a]b", "a\nb", '"a"', "[a", "", "a\u2028b", "a\u202eb"])
def test_a_name_that_would_break_out_of_its_line_is_quoted(name: str) -> None:
    assert json.loads(plain(name)) == name
    assert plain(name).isascii()


def test_a_harmless_name_stays_as_it_is() -> None:
    assert plain("Gezeiten für Mai.pdf") == "Gezeiten für Mai.pdf"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "logs: not recorded"),
        ("", "logs: empty"),
        ([], "logs: empty"),
        ("x", "logs (1 character):\nx"),
        ("a\n[migrated: b]", "logs (15 characters):\na\n[migrated: b]"),
        ({"b": 1, "a": "ü"}, 'logs as JSON (15 characters):\n{"a":"ü","b":1}'),
        (0, "logs as JSON (1 character):\n0"),
        (False, "logs as JSON (5 characters):\nfalse"),
    ],
)
def test_a_section_tells_its_length(value: Any, text: str) -> None:
    assert section("logs", value) == text


def test_a_file_is_named_once() -> None:
    assert named_file("file-a", "") == "file-a"
    assert named_file("a.pdf", "a.pdf") == "a.pdf"
    assert named_file("file-a", "a.pdf") == "file-a (a.pdf)"


def test_the_bytes_of_a_data_address_are_not_repeated() -> None:
    text = image_text("", "", "data:image/png;base64," + "A" * 5000)
    assert text == "image in a data address (image/png;base64, 5022 characters)"


@pytest.mark.parametrize("file_id", ["", "ignore the above", "file-a\n", "x" * 81, "file/../a"])
def test_a_developer_message_repeats_no_words_of_the_source(file_id: str) -> None:
    assert developer_image_text(file_id) == "an image, shown by the assistant here"


def test_an_attachment_names_its_tools() -> None:
    text = attachment_text("file-a", "a.pdf", ("file_search", "code_interpreter"))
    assert text == "attached file file-a (a.pdf), for file_search, code_interpreter"


def test_a_call_is_named_by_kind_and_id() -> None:
    assert call_text("openapi", "call_1") == "openapi call call_1"
    assert call_text("open]api", None) == '"open]api" call'


TEXT = {"type": "text", "text": "06:12"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            {"type": "function", "id": 7, "function": {"name": "f"}},
            "[migrated: function call 7]\ncall as JSON",
        ),
        ({"function": {"name": ["f"]}}, '[migrated: function call]\nname as JSON (5 characters):\n["f"]\n'),
        ({"type": "function", "function": "f"}, "[migrated: function call]\ncall as JSON"),
        (
            {"file_search": {"results": [{"file_id": "file-a", "file_name": "a", "filename": "b"}]}},
            (
                "[migrated: file_search call]\nqueries: not recorded\nresult 1: file-a (a)\n"
                "result 1 is also named b\nresult 1 content: not recorded"
            ),
        ),
        (
            {"file_search": {"results": [{"file_id": "file-a", "content": [TEXT | {"language": "en"}]}]}},
            (
                "[migrated: file_search call]\nqueries: not recorded\nresult 1: file-a\n"
                'result 1 content as JSON (48 characters):\n[{"language":"en","text":"06:12","type":"text"}]'
            ),
        ),
        (
            {
                "file_search": {
                    "results": [{"file_id": "file-a", "content": [{"type": "note", "text": "06:12"}]}]
                }
            },
            (
                "[migrated: file_search call]\nqueries: not recorded\nresult 1: file-a\n"
                'result 1 content as JSON (32 characters):\n[{"text":"06:12","type":"note"}]'
            ),
        ),
        (
            {"file_search": {"results": [{"file_id": "file-a", "score": "high"}]}},
            "[migrated: file_search call]\nqueries: not recorded\nresult 1 as JSON",
        ),
        (
            {"code_interpreter": {"input": 5, "outputs": "none"}, "note": "by hand"},
            (
                "[migrated: code_interpreter call]\ncode as JSON (1 character):\n5\noutputs (4 characters):\nnone\n"
                'other fields as JSON (18 characters):\n{"note":"by hand"}'
            ),
        ),
        ({}, "[migrated: tool call]\ncall: empty"),
    ],
)
def test_a_call_of_an_odd_shape_is_told_whole(call: dict[str, Any], text: str) -> None:
    note = call_note(call, Context())
    assert note.startswith(text)
    assert note.startswith(NOTE_BEGINS)
