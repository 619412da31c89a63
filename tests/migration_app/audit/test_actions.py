"""The table of actions against the code that records them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import migration_app
from migration_app.audit.actions import ACTIONS, SUBJECTS, UnregisteredActionError, action_label
from migration_app.audit.trail import audit_event, audit_record
from migration_app.contracts import Actor
from migration_app.engine.journal.entries import Entry
from migration_app.models import Thread

ROOT = Path(migration_app.__file__).parent
_VERB = re.compile(r"[a-z_]+\.[a-z_]+")
_RECORDING = {"event", "transition", "_record", "_tell"}
"""Functions that take the verb as one of their first two arguments, where it is not named."""


def sources() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        if "migrations" not in path.parts and path.name != "actions.py":
            yield path, ast.parse(path.read_text())


def literals(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and _VERB.fullmatch(part.value):
            yield part.value


def recorded() -> set[str]:
    """Verbs written out where a row is recorded."""
    found: set[str] = set()
    for _path, tree in sources():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                given = [keyword.value for keyword in call.keywords if keyword.arg in ("verb", "verbs")]
                for value in [*given, *(call.args[:2] if name in _RECORDING else [])]:
                    found.update(literals(value))
    return found


def test_every_verb_that_is_recorded_is_registered() -> None:
    assert len(recorded()) > 80
    assert sorted(recorded() - set(ACTIONS)) == []


def test_every_verb_in_sql_is_registered() -> None:
    text = "\n".join(path.read_text() for pattern in ("*.py", "*.sql") for path in ROOT.rglob(pattern))
    in_sql = set(re.findall(r"'([a-z_]+\.[a-z_]+)', '(?:thread|assistant)'", text))
    assert in_sql
    assert in_sql <= set(ACTIONS)


def test_nothing_is_registered_that_is_not_recorded() -> None:
    text = "\n".join(path.read_text() for path, _tree in sources())
    text += "\n".join(path.read_text() for path in ROOT.rglob("*.sql"))
    made = re.compile(
        r"(batch\..*_(started|asked)|thread\.[a-z]+_failed|import\.[a-z]+|.*\.conflict|(user|group)\..*)"
    )
    unused = [verb for verb in ACTIONS if verb not in text and not made.fullmatch(verb)]
    assert set(unused) <= {"thread.snapshotted", "thread.blocked"}  # f"thread.{status}" of an assessment


def test_texts_are_sentences_of_a_row() -> None:
    for action in ACTIONS.values():
        assert len(action.verb) <= 64
        assert action.label[0].isupper()
        assert not action.label.endswith(".")
        assert action.message.endswith(".")


def test_a_verb_that_is_not_registered_is_refused() -> None:
    who = Actor("ada")
    for record in (audit_event, audit_record):
        with pytest.raises(UnregisteredActionError, match=r"thread\.vanished"):
            record(actor=who, verb="thread.vanished", subject_kind="thread", subject_id="t")
    with pytest.raises(UnregisteredActionError):
        Entry(Thread()).event("thread.vanished")


def test_what_no_row_may_be_about_is_refused() -> None:
    for record in (audit_event, audit_record):
        with pytest.raises(UnregisteredActionError, match="threads is no subject"):
            record(actor=Actor("ada"), verb="thread.snapshotted", subject_kind="threads", subject_id="t")


def test_every_subject_that_is_written_out_is_registered_and_recorded() -> None:
    found = {
        keyword.value.value
        for _path, tree in sources()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg in ("subject_kind", "subject") and isinstance(keyword.value, ast.Constant)
    }
    # Users and groups by their model; files and vector stores by the kind of what was stored or seen.
    assert found == SUBJECTS - {"user", "group", "file", "vector_store"} | (found & {"user"})


def test_a_row_of_an_older_release_is_called_by_its_verb() -> None:
    assert action_label("batch.paused") == "Batch paused"
    assert action_label("thread.old") == "thread.old"
