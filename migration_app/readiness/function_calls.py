"""Functions that applications must answer: which prompts and assistants name them, how often each was really called.

A pass reads every snapshot once, a group of threads at a time, and adds what it counts in the transaction that moves
its place on: it can be resumed anywhere, and counts nothing twice. A step counts once however many pages show
of it, as the assembly of a thread says. Memory is bounded by a group's functions. Must not import jobs.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable, Iterator

from django.db import connection, transaction

from migration_app.contracts import SourceThread
from migration_app.conversion.items.call_notes import kind_of
from migration_app.conversion.items.function_calls import function_name
from migration_app.conversion.prompts.assistants import convert_settings
from migration_app.conversion.text import as_list, as_object
from migration_app.models import (
    FunctionCalls,
    PromptNeeds,
    ReadinessCheck,
    SnapshotPage,
    SourceObject,
    Thread,
)
from migration_app.models.fields import MAX_ID_LENGTH
from migration_app.prompts.needs import spec_needs, versions_that_count
from migration_app.readiness.checks import CHECKS
from migration_app.snapshots.pages import load_source_threads, source_object_value

_GROUP = 100
_ADD = """
    INSERT INTO migration_app_functioncalls AS f (pass_number, name, calls, threads, assistants)
    SELECT %s, name, calls, threads, assistants FROM jsonb_to_recordset(%s::jsonb)
        AS n(name text, calls bigint, threads bigint, assistants bigint)
    ON CONFLICT (pass_number, name) DO UPDATE SET
        calls = f.calls + excluded.calls, threads = f.threads + excluded.threads,
        assistants = f.assistants + excluded.assistants
"""


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionUse:
    """One function: how many prompts and assistants name it, and its calls (None before the first pass)."""

    name: str
    prompts: int
    assistants: int | None
    calls: int | None
    threads: int | None


HEADER = ("function", "prompts", "assistants", "calls", "threads")


def function_uses() -> list[FunctionUse]:
    """Every function that a prompt or an assistant names or a thread called; the most called first."""
    check = ReadinessCheck.objects.filter(kind=ReadinessCheck.Kind.CALLS).exclude(good_at=None).first()
    counted = check is not None
    rows = (
        {row.name: row for row in FunctionCalls.objects.filter(pass_number=check.good_pass)} if check else {}
    )
    prompts: collections.Counter[str] = collections.Counter()
    needs = PromptNeeds.objects.filter(version__in=versions_that_count()).values_list("functions", flat=True)
    for names in needs.iterator(chunk_size=500):
        prompts.update(names)
    uses = [
        FunctionUse(
            name,
            prompts[name],
            (rows[name].assistants if name in rows else 0) if counted else None,
            (rows[name].calls if name in rows else 0) if counted else None,
            (rows[name].threads if name in rows else 0) if counted else None,
        )
        for name in {*prompts, *rows}
    ]
    return sorted(uses, key=lambda use: (-(use.calls or 0), -use.prompts, use.name))


def calls_count(row: ReadinessCheck, *, stop: Callable[[], bool]) -> bool:
    """Resume a pass until its end or ``stop``; returns whether it came to its end. TaskLostError."""
    threads = Thread.objects.filter(pk__in=SnapshotPage.objects.values("thread_id"))
    total, done = row.total or threads.count(), row.done
    if not row.cursor:
        _begin(row)
    while True:
        group = list(threads.filter(pk__gt=row.cursor).order_by("pk")[:_GROUP])
        if not group:
            break
        calls: collections.Counter[str] = collections.Counter()
        callers: collections.Counter[str] = collections.Counter()
        for loaded in load_source_threads(group):
            found = collections.Counter(called_functions(loaded.source))
            calls.update(found)
            callers.update(found.keys())
        done += len(group)
        with transaction.atomic():
            CHECKS.write(row, done=done, total=max(total, done), cursor=group[-1].pk)
            _add(
                row,
                [
                    {"name": name, "calls": count, "threads": callers[name], "assistants": 0}
                    for name, count in calls.items()
                ],
            )
        if stop():
            return False
    return True


def called_functions(source: SourceThread) -> Iterator[str]:
    """Names of the functions that a thread's steps called, once a call."""
    for step in source.steps:
        for call in as_list(as_object(as_object(step).get("step_details")).get("tool_calls")):
            if isinstance(call, dict) and kind_of(call) == "function":
                name = _storable(function_name(call))
                if name:
                    yield name


def _begin(row: ReadinessCheck) -> None:
    """Forget all passes but the one that is shown, and count assistants by the functions they name."""
    names: collections.Counter[str] = collections.Counter()
    assistants = SourceObject.objects.filter(kind="assistant", state=SourceObject.State.CURRENT)
    for assistant in assistants.order_by("pk").iterator(chunk_size=50):
        names.update(set(spec_needs(convert_settings(source_object_value(assistant)).spec).functions))
    with transaction.atomic():
        CHECKS.write(row)
        FunctionCalls.objects.exclude(pass_number=row.good_pass).delete()
        _add(
            row,
            [{"name": name, "calls": 0, "threads": 0, "assistants": count} for name, count in names.items()],
        )


def _add(row: ReadinessCheck, counts: list[dict[str, object]]) -> None:
    if counts:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [row.pass_number, json.dumps(counts)])


def _storable(name: str) -> str:
    """The name as a column holds it: what can't be shown as a mark for it."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name[:MAX_ID_LENGTH])
