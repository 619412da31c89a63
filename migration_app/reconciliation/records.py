"""A reconciliation's own row: asked for, written on step by step, ended. One transaction each.

Its lifecycle is that of every task (``tasks.lifecycle``). Calls no API. Must not import jobs.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Discrepancy, Reconciliation
from migration_app.reconciliation.kinds import (
    CHECKS,
    DEFAULT_CHECKS,
    KINDS,
    Examined,
)
from migration_app.reconciliation.population import POPULATIONS
from migration_app.tasks.lifecycle import Lifecycle

_S = Reconciliation.State

DEFAULT_SAMPLE = 1_000

RECONCILIATIONS = Lifecycle(
    model=Reconciliation,
    subject="reconciliation",
    stale=dt.timedelta(minutes=15),  # longer than one page of conversations takes to read
    verbs={
        _S.FINISHED: "reconciliation.finished",
        _S.FAILED: "reconciliation.failed",
        _S.STOPPED: "reconciliation.stopped",
        _S.QUEUED: "reconciliation.resumed",
    },
)

KEPT_PER_KIND = 100_000
"""Discrepancies of one kind that are kept; all are counted. A wrong key must not fill the disk."""

_SCHEDULE_LOCK = 0x7265636F  # any number, the same for all workers
_SEVERITIES = tuple(Discrepancy.Severity.values)


class ReconciliationRefusedError(ValueError):
    """The request can't be done; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far it is: ``cursor`` is the last primary key seen, or with a sample how many pieces are done."""

    check: str
    cursor: int = 0
    within: tuple[int, int] | None = None


def reconciliation_create(
    *,
    checks: Iterable[str] = DEFAULT_CHECKS,
    sample_size: int | None,
    seed: int = 0,
    quick: bool = False,
    window: int = 16,
    reason: str = "",
    actor: Actor,
    scheduled: bool = False,
) -> Reconciliation:
    """Write down what is asked for, for a worker or a command. ReconciliationRefusedError if it can't be."""
    asked = [name for name in CHECKS if name in set(checks)]
    unknown = sorted(set(checks) - set(CHECKS))
    if unknown:
        raise ReconciliationRefusedError(f"There is no check {unknown[0]!r}; there are: {', '.join(CHECKS)}.")
    if not asked:
        raise ReconciliationRefusedError(f"Choose at least one check: {', '.join(CHECKS)}.")
    if sample_size is not None and not 1 <= sample_size <= 2_000_000_000:
        raise ReconciliationRefusedError("A sample has at least one thread.")
    if not 1 <= window <= 256:
        raise ReconciliationRefusedError("1 to 256 reads may be in flight.")
    with transaction.atomic():
        made = Reconciliation.objects.create(
            checks=asked,
            sample_size=sample_size,
            seed=seed,
            quick=quick,
            window=window,
            reason=reason,
            scheduled=scheduled,
            created_by_id=actor.user_id,
            created_by_name=actor.name,
        )
        text = f"{scope_summary(made)}: {', '.join(asked)}"
        audit_record(
            actor=actor,
            verb="reconciliation.started",
            subject_kind="reconciliation",
            subject_id=str(made.pk),
            reason=f"{reason} [{text}]" if reason else text,
        )
    return made


def scope_summary(row: Reconciliation) -> str:
    """A summary of the scope."""
    size = "the whole estate" if row.sample_size is None else f"a sample of {row.sample_size:,}"
    return f"{size}, item ids only" if row.quick else size


def reconciliation_schedule(*, every_hours: int, actor: Actor) -> Reconciliation | None:
    """Begin the regular check of a sample, if the last regular one began ``every_hours`` ago or earlier; 0: never.

    The database says when that was, so that it needs no scheduler process, and however many workers ask at once,
    one of them begins it.
    """
    if not every_hours:
        return None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SCHEDULE_LOCK])
            if not cursor.fetchone()[0]:
                return None
        regular = Reconciliation.objects.filter(scheduled=True)
        recent = Q(created_at__gt=Now() - dt.timedelta(hours=every_hours)) | Q(
            state__in=[_S.QUEUED, _S.RUNNING]
        )
        if regular.filter(recent).exists():
            return None
        newest = regular.order_by("-pk").values_list("seed", flat=True).first()
        return reconciliation_create(
            sample_size=DEFAULT_SAMPLE,
            seed=0 if newest is None else newest + 1,
            reason=f"every {every_hours} hours",
            actor=actor,
            scheduled=True,
        )


def checkpoint_of(row: Reconciliation) -> Checkpoint:
    """Where the work begins, or is resumed."""
    name = row.check_name or (row.checks[0] if row.checks else "")
    within = row.counts.get(name, {}).get("within")
    return Checkpoint(name, row.cursor, (within[0], within[1]) if within else None)


def step_record(row: Reconciliation, *, checkpoint: Checkpoint, looked: Examined) -> None:
    """Write down what a step found, and where the next one begins, together. TaskLostError if it is not ours."""
    counts = copy.deepcopy(row.counts)
    entry = counts.setdefault(checkpoint.check, {"looked": 0, "skipped": 0} | dict.fromkeys(_SEVERITIES, 0))
    entry["looked"] += looked.looked
    entry["skipped"] += looked.skipped
    if checkpoint.within is not None:
        entry["within"] = list(checkpoint.within)
    by_code = entry.setdefault("codes", {})
    kept = []
    for found in looked.found:
        kind = KINDS[found.code]
        entry[kind.severity] += 1
        by_code[found.code] = by_code.get(found.code, 0) + 1
        if by_code[found.code] <= KEPT_PER_KIND:
            kept.append(
                Discrepancy(
                    reconciliation_id=row.pk,
                    check_name=checkpoint.check,
                    code=found.code,
                    severity=kind.severity,
                    thread_id=found.thread_pk,
                    subject=_storable(found.subject),
                    claimed=_storable(found.claimed),
                    found=_storable(found.found),
                )
            )
    with transaction.atomic():
        RECONCILIATIONS.write(row, check_name=checkpoint.check, cursor=checkpoint.cursor, counts=counts)
        Discrepancy.objects.bulk_create(kept, batch_size=1_000)


def step_next(row: Reconciliation, *, check: str) -> None:
    """Continue with another check. TaskLostError if it is not ours."""
    RECONCILIATIONS.write(row, check_name=check, cursor=0)


def reconciliation_finish(row: Reconciliation, *, actor: Actor) -> None:
    """Close it. TaskLostError if it is not ours."""
    RECONCILIATIONS.finish(row, actor=actor, reason=totals_summary(row))


def reconciliation_stop(*, pk: int, actor: Actor) -> bool:
    """Stop one that is queued or running, within the current page. False if it was over already."""
    return RECONCILIATIONS.move(pk, _S.STOPPED, among=[_S.QUEUED, _S.RUNNING], actor=actor)


def reconciliation_resume(*, pk: int, actor: Actor) -> bool:
    """Resume one that was stopped or failed where it was. False if it is not one of these."""
    ended = [_S.STOPPED, _S.FAILED]
    return RECONCILIATIONS.move(pk, _S.QUEUED, among=ended, actor=actor, error_text="", finished_at=None)


def totals(row: Reconciliation) -> dict[str, int]:
    """Discrepancies by severity, and rows checked and skipped, over all checks."""
    summed: collections.Counter[str] = collections.Counter()
    for entry in row.counts.values():
        for name in ("looked", "skipped", *_SEVERITIES):
            summed[name] += entry.get(name, 0)
    return {name: summed[name] for name in ("looked", "skipped", *_SEVERITIES)}


def totals_summary(row: Reconciliation) -> str:
    """Say how it ended in one line: what was found, in how many rows, and how many it says nothing about."""
    found = totals(row)
    return f"{', '.join(f'{name}: {found[name]:,}' for name in _SEVERITIES)}; {checked_summary(row)}"


def checked_summary(row: Reconciliation) -> str:
    """How many rows were checked, and how many were skipped because they were in progress."""
    found = totals(row)
    skipped = (
        f", {found['skipped']:,} skipped because work on them was in progress" if found["skipped"] else ""
    )
    return f"{found['looked']:,} rows checked{skipped}"


def is_sampled(row: Reconciliation, check: str) -> bool:
    """Whether a sample narrows this check."""
    return row.sample_size is not None and check in POPULATIONS


def discrepancies(row: Reconciliation, *, severity: str = "", code: str = "") -> QuerySet[Discrepancy]:
    """What was kept, in the order in which it was found."""
    rows = Discrepancy.objects.filter(reconciliation=row)
    rows = rows.filter(severity=severity) if severity else rows
    rows = rows.filter(code=code) if code else rows
    return rows.select_related("thread").order_by("pk")


def checks_left(row: Reconciliation, check: str) -> Sequence[str]:
    """This check and those after it."""
    return row.checks[row.checks.index(check) :]


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL; a subject is cut to its column."""
    return text.replace("\x00", "")[:2_000]
