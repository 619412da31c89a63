"""Findings about the order of a thread's objects, about conflicts and about lists that end too early.

Standard library, contracts and this package only.
"""

from __future__ import annotations

from collections.abc import Mapping

from migration_app.contracts import Finding, Severity, SourceKind

_WORDS: Mapping[SourceKind, str] = {"message": "messages", "run": "runs", "step": "steps"}


def conflict_finding(kind: SourceKind, object_id: str) -> Finding:
    """An object was imported with different contents under one id."""
    return Finding(
        code="object_conflict",
        severity=Severity.LOSSY,
        source_kind=kind,
        source_id=object_id,
        place="",
        text=f"This {kind} was imported with different contents under one id; the first one is used.",
        advice="Compare the versions in the snapshot and decide which one is right.",
    )


def order_finding(thread_id: str) -> Finding:
    """Nothing says which of some messages came first."""
    return Finding(
        code="message_order_uncertain",
        severity=Severity.TRANSFORMED,
        source_kind="thread",
        source_id=thread_id,
        place="messages",
        text="Messages share a timestamp, or have none, and the archive does not show their order.",
        advice="Check their order; if it matters, import the thread again from a list in the API's order.",
    )


def sorted_finding(thread_id: str) -> Finding:
    """Timestamps gave an order that the archive has not."""
    return Finding(
        code="message_order_by_time",
        severity=Severity.NOTE,
        source_kind="thread",
        source_id=thread_id,
        place="messages",
        text="The archive holds the messages in no order; they were ordered by their timestamps.",
    )


def step_order_finding(thread_id: str, run_id: str) -> Finding:
    """Nothing says which of some steps came first."""
    return Finding(
        code="step_order_uncertain",
        severity=Severity.TRANSFORMED,
        source_kind="run" if run_id else "thread",
        source_id=run_id or thread_id,
        place="steps",
        text="Steps of one run share a timestamp, or have none, and the archive does not show their order.",
        advice="Check the order of the calls; if it matters, import the steps from a list in the API's order.",
    )


def open_finding(listed_kind: SourceKind, kind: SourceKind, object_id: str) -> Finding:
    """A list page says that more follow, and none that was imported does."""
    text = _WORDS[listed_kind]
    return Finding(
        code="list_continues",
        severity=Severity.LOSSY,
        source_kind=kind,
        source_id=object_id,
        place=text,
        text=f"A list page of {text} has more to follow (has_more), and no imported list continues it.",
        advice="Import the following pages; this finding disappears with the last one.",
    )
