"""Every state has the colour that it has everywhere, and every colour is one that pages know."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import migration_app
from migration_app.admin.base import badges
from migration_app.admin.base.badges import Badge
from migration_app.contracts import Fidelity, Severity
from migration_app.models import (
    Assistant,
    Batch,
    BatchResult,
    Chunk,
    Conversation,
    PromptVersion,
    Resource,
    SourceImport,
    SourceObject,
    Thread,
)

STYLE = Path(migration_app.__file__).parent / "static" / "migration_app" / "lists.css"
COLOURS = {"", *re.findall(r"\.mc-badge-(\w+)", STYLE.read_text(encoding="utf-8"))}
STATES: list[tuple[Mapping[str, str], type[enum.Enum]]] = [
    (badges.THREAD_STATUS, Thread.Status),
    (badges.FIDELITY, Fidelity),
    (badges.SEVERITY, Severity),
    (badges.BATCH_STATE, Batch.State),
    (badges.IMPORT_STATE, SourceImport.State),
    (badges.ASSISTANT_STATUS, Assistant.Status),
    (badges.PROMPT_STATE, PromptVersion.State),
    (badges.CONVERSATION_STATE, Conversation.State),
    (badges.CHUNK_STATE, Chunk.State),
    (badges.OBJECT_STATE, SourceObject.State),
    (badges.RESOURCE_STATUS, Resource.Status),
]
TABLES = [table for table, _choices in STATES] + [badges.RESULT, badges.RUN_STATUS]


@pytest.mark.parametrize(("table", "choices"), STATES)
def test_every_state_has_its_colour(table: Mapping[str, str], choices: type[enum.Enum]) -> None:
    assert {str(state) for state in table} == {str(choice.value) for choice in choices}


@pytest.mark.parametrize("table", TABLES)
def test_every_colour_is_one_of_the_pages(table: Mapping[str, str]) -> None:
    assert set(table.values()) <= COLOURS


@pytest.mark.parametrize(
    ("colour", "states"),
    [
        ("success", "exact verified finished converted active current alive completed appended"),
        ("danger", "blocked blocking failed rejected conflict missing expired deleting"),
        ("warning", "lossy needs_review source_missing rolled_back paused cancelling waiting in_review incomplete"),
        ("primary", "queued backfilling rolling_back preparing running open sending"),
        ("info", "transformed snapshotted backfilled approved complete"),
        ("", "note registered excluded draft retired continued"),
    ],
)  # fmt: skip
def test_a_state_has_the_colour_of_what_it_asks_for(colour: str, states: str) -> None:
    for state in states.split():
        assert colour in {table[state] for table in TABLES if state in table}, state


@pytest.mark.parametrize(
    ("status", "badge"),
    [
        ("completed", Badge("completed", "success")),
        ("failed", Badge("failed", "danger")),
        ("expired", Badge("expired", "danger")),
        ("cancelled", Badge("cancelled", "warning")),
        ("cancelling", Badge("cancelling", "warning")),
        ("incomplete", Badge("incomplete", "warning")),
        ("requires_action", Badge("requires action", "")),
        ("", Badge("unknown", "")),
    ],
)
def test_words_of_runs_that_nobody_knows_stay_grey(status: str, badge: Badge) -> None:
    assert badges.run_badge(status) == badge


@pytest.mark.parametrize(
    ("result", "colour"),
    [
        ("failed", "danger"),
        ("blocked", "danger"),
        ("needs_review", "warning"),
        ("source_missing", "warning"),
        ("cancelled", ""),
        ("continued", ""),
    ],
)
def test_results_are_green_unless_something_is_left(result: str, colour: str) -> None:
    assert badges.result_badge(result).type == colour
    others = set(BatchResult.Result.values) - {str(known) for known in badges.RESULT}
    assert {badges.result_badge(other).type for other in others} == {"success"}


def test_badges_are_read_as_words() -> None:
    assert badges.thread_badge("needs_review").text == "needs review"
    assert badges.conversation_badge("deleting") == Badge("being deleted", "danger")
    assert badges.chunk_badge("deleting") == Badge("being deleted", "danger")
    assert badges.conversation_badge("open") == Badge("open", "primary")
    assert badges.resource_badge("") == Badge("not checked", "")
    assert badges.fidelity_badge("") is None
    assert badges.severity_badge("blocking") == Badge("blocking", "danger")
