"""The table of findings, its documentation, and what uses it."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from migration_app.conversion.findings.calls import (
    KEPT_KINDS,
    READ_BACK_KINDS,
    REFUSAL_KINDS,
    RESOURCE_KINDS,
)
from migration_app.conversion.findings.findings import KINDS
from tests.migration_app.conversion.support import golden_files

ROOT = pathlib.Path(__file__).parents[4]
SHOWN_BY_OTHER_TESTS = {
    "required_action_unreadable",  # test_quirks
    *REFUSAL_KINDS,
    *KEPT_KINDS,
    *READ_BACK_KINDS,
    *RESOURCE_KINDS,
    "tool_call_note_too_long",
    "text_too_long",
    "image_too_long",
    "function_text_too_long",
    "json_value_unusable",
    "assistant_unreadable",
}


def test_documentation_names_every_code_with_its_severity_and_no_other() -> None:
    page = (ROOT / "docs" / "conversion.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z0-9_]+)` \| (note|transformed|lossy|blocking) \|", page)
    assert set(named) == {(code, str(kind.severity)) for code, kind in KINDS.items()}


def test_every_code_is_shown_by_a_golden_file_or_another_test() -> None:
    files = [*golden_files("threads"), *golden_files("policies"), *golden_files("assistants")]
    shown = {
        finding["code"]
        for path in files
        for finding in json.loads(path.read_text(encoding="utf-8"))["findings"]
    }
    assert set(KINDS) - shown == SHOWN_BY_OTHER_TESTS


@pytest.mark.parametrize("code", KINDS)
def test_texts_are_sentences(code: str) -> None:
    kind = KINDS[code]
    assert kind.text.endswith(".")
    assert kind.advice == "" or kind.advice.endswith(".")
