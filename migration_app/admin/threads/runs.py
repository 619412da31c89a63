"""Runs on a thread's page: what the target has no place for, and the response that would do the same now."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from migration_app.admin.base.badges import run_badge, severity_badge
from migration_app.admin.base.rendering import (
    Part,
    Sight,
    pretty_json,
    time_text,
)
from migration_app.contracts import SourceKind, SourceThread, ThreadPlan
from migration_app.conversion.responses import RunRecord, run_record
from migration_app.conversion.text import as_id, as_object, source_id_of
from migration_app.models import Conversation, Run
from migration_app.snapshots.pages import source_objects

Items = Mapping[int, Sequence[tuple[str, str]]]
"""For each row of a page of runs: its items as text, and their address."""


def items_of_runs(
    runs: Sequence[object],
    source: SourceThread,
    plan: ThreadPlan,
    entry_pages: Mapping[tuple[str, str], int],
) -> Items:
    """Find the items of each run: those of its messages, of its steps and of the calls it waited for."""
    owners: dict[tuple[str, str], str] = {}
    objects_by_kind: dict[SourceKind, Sequence[object]] = {"message": source.messages, "step": source.steps}
    for kind, objects in objects_by_kind.items():
        for position, value in enumerate(map(as_object, objects)):
            run_id = as_id(value.get("run_id"))
            if run_id:
                owners.setdefault((kind, source_id_of(value, kind, position)), run_id)
    for position, value in enumerate(map(as_object, source.runs)):
        run_id = source_id_of(value, "run", position)
        owners.setdefault(("run", run_id), run_id)
    numbers: dict[str, list[tuple[int, int]]] = {}
    for number, planned in enumerate(plan.items, start=1):
        key = (planned.source_kind, planned.source_id)
        if key in owners:
            numbers.setdefault(owners[key], []).append((number, entry_pages.get(key, 1)))
    return {
        row: list(_ranges(numbers.get(as_id(as_object(run).get("id")), []))) for row, run in enumerate(runs)
    }


def _ranges(numbers: Sequence[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Neighbouring items together, with the page that the first of them is on."""
    for _, group in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1][0] - pair[0]):
        members = [number for _, number in group]
        (first, page), (last, _) = members[0], members[-1]
        yield (str(first) if first == last else f"{first}–{last}"), f"?page={page}#item-{first}"


def run_rows(
    runs: Sequence[object],
    source: SourceThread,
    items: Items,
    conversation: Conversation | None,
    sight: Sight,
) -> list[dict[str, Any]]:
    """One page of runs as the template shows them. Assistants are looked up in one query."""
    ids = {as_id(as_object(run).get("assistant_id")) for run in runs}
    # PostgreSQL can't compare with text that holds a NUL or half of a surrogate pair.
    assistants = source_objects("assistant", filter(str.isprintable, ids - {""}))
    named = filter(str.isprintable, (as_id(as_object(run).get("id")) for run in runs))
    listed = Run.objects.filter(thread__thread_id=source.thread_id, run_id__in=list(named))
    pks = dict(listed.values_list("run_id", "pk"))
    into = (
        {"conversation": conversation.conversation_id}
        if conversation and conversation.conversation_id
        else {}
    )
    rows = []
    for row, run in enumerate(runs):
        body = as_object(run)
        record = run_record(body, assistants.get(as_id(body.get("assistant_id"))), source.thread)
        rows.append(
            {
                "id": record.id or "without id",
                "pk": pks.get(record.id),
                "badge": run_badge(record.status[:40]),
                "model": record.model[:80] or "–",
                "created": time_text(record.created_at),
                "took": _took(record),
                "usage": [(name.replace("_", " "), f"{count:,}") for name, count in record.usage.items()],
                "reason": record.reason[:80],
                "reason_text": sight.part("error", record.reason_text).text if record.reason_text else "",
                "instructions": _instructions(record, sight),
                "items": items[row],
                "findings": [(severity_badge(finding.severity), finding) for finding in record.findings],
                "equivalent": pretty_json(into | record.equivalent) if sight.content else "",
                "raw": pretty_json(run) if sight.content else "",
            }
        )
    return rows


def _took(record: RunRecord) -> str:
    """How long the run worked, as text; empty if its times are unknown."""
    return "" if record.seconds is None else f"{record.seconds:,.0f} s"


def _instructions(record: RunRecord, sight: Sight) -> Part | None:
    return (
        sight.part("own instructions", record.instructions_override) if record.instructions_override else None
    )
