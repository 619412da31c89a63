"""A reconciliation's own row: asked for, claimed, written on step by step, ended. One transaction each.

Whoever runs one holds a token; a run whose token is gone (stopped by a person, or taken for dead and taken over)
can write nothing more. Calls no API. Must not import jobs.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Discrepancy, Reconciliation
from migration_app.reconciliation.kinds import (
    CHECKS,
    DEFAULT_CHECKS,
    KINDS,
    SAMPLED,
    Looked,
)

_S = Reconciliation.State

DEFAULT_SAMPLE = 1_000
STALE = dt.timedelta(minutes=15)
"""Longer than one page of conversations takes to read: a run that is silent for so long has lost its worker."""

KEPT_PER_KIND = 100_000
"""Discrepancies of one kind that are kept; all are counted. A wrong key must not fill the disk."""

_SCHEDULE_LOCK = 0x7265636F  # any number, the same for all workers
_SEVERITIES = tuple(Discrepancy.Severity.values)


class RunLostError(Exception):
    """The reconciliation is no longer in this run's hands."""


class ReconciliationRefusedError(ValueError):
    """What was asked for can't be done; the words say why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a run is: ``cursor`` is the last primary key seen, or with a sample how many pieces are done."""

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
    """Write down what is asked for, to be run by a worker or a command. ReconciliationRefusedError if it can't be."""
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
        words = f"{scope_words(made)}: {', '.join(asked)}"
        _tell(made, "reconciliation.started", actor, f"{reason} [{words}]" if reason else words)
    return made


def scope_words(row: Reconciliation) -> str:
    """Say what is looked at."""
    size = "the whole estate" if row.sample_size is None else f"a sample of {row.sample_size:,}"
    return f"{size}, item ids only" if row.quick else size


def reconciliation_schedule(*, every_hours: int, actor: Actor) -> Reconciliation | None:
    """Begin the regular look at a sample, if the last regular one began ``every_hours`` ago or earlier; 0: never.

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


def reconciliations_waiting() -> list[int]:
    """Primary keys of those that a worker should take: queued, left by a dead worker, or a review asked for."""
    review = Q(review_asked_at__isnull=False, reviewed_at__isnull=True, state=_S.FINISHED)
    return list(
        Reconciliation.objects.filter(_claimable() | review).order_by("pk").values_list("pk", flat=True)
    )


def reconciliation_claim(pk: int) -> Reconciliation | None:
    """Take it, or None if there is nothing to take: it is over, or somebody else has it."""
    taken = Reconciliation.objects.filter(_claimable(), pk=pk).update(
        state=_S.RUNNING,
        run_token=uuid.uuid4(),
        started_at=Coalesce(F("started_at"), Now()),
        heartbeat_at=Now(),
    )
    return Reconciliation.objects.get(pk=pk) if taken else None


def place_of(row: Reconciliation) -> Place:
    """Where the run begins, or goes on."""
    name = row.check_name or (row.checks[0] if row.checks else "")
    within = row.counts.get(name, {}).get("within")
    return Place(name, row.cursor, (within[0], within[1]) if within else None)


def step_record(row: Reconciliation, *, place: Place, looked: Looked) -> None:
    """Write down what a step found, and where the next one begins, together. RunLostError if it is not ours."""
    counts = copy.deepcopy(row.counts)
    entry = counts.setdefault(place.check, {"looked": 0, "skipped": 0} | dict.fromkeys(_SEVERITIES, 0))
    entry["looked"] += looked.looked
    entry["skipped"] += looked.skipped
    if place.within is not None:
        entry["within"] = list(place.within)
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
                    check_name=place.check,
                    code=found.code,
                    severity=kind.severity,
                    thread_id=found.thread_pk,
                    subject=_storable(found.subject),
                    claimed=_storable(found.claimed),
                    found=_storable(found.found),
                )
            )
    with transaction.atomic():
        _write(row, check_name=place.check, cursor=place.cursor, counts=counts)
        Discrepancy.objects.bulk_create(kept, batch_size=1_000)


def step_next(row: Reconciliation, *, check: str) -> None:
    """Go on to another check. RunLostError if it is not ours."""
    _write(row, check_name=check, cursor=0)


def reconciliation_pause(row: Reconciliation, *, state: str = _S.QUEUED) -> None:
    """Hand an unfinished one back: to the queue, or *stopped* until somebody wants it to go on."""
    _write(row, state=state, run_token=None)


def reconciliation_finish(row: Reconciliation, *, actor: Actor) -> None:
    """Close it. RunLostError if it is not ours."""
    with transaction.atomic():
        _write(row, state=_S.FINISHED, run_token=None, finished_at=Now())
        _tell(row, "reconciliation.finished", actor, totals_words(row))
    row.refresh_from_db()


def reconciliation_fail(row: Reconciliation, *, error_text: str, actor: Actor) -> None:
    """Close it with a reason; what was found so far stays, and it can go on. RunLostError if it is not ours."""
    with transaction.atomic():
        _write(row, state=_S.FAILED, run_token=None, finished_at=Now(), error_text=_storable(error_text))
        _tell(row, "reconciliation.failed", actor, _storable(error_text))
    row.refresh_from_db()


def reconciliation_stop(*, pk: int, actor: Actor) -> bool:
    """Stop one that is queued or running, within the page at hand. False if it was over already."""
    with transaction.atomic():
        changed = Reconciliation.objects.filter(pk=pk, state__in=[_S.QUEUED, _S.RUNNING]).update(
            state=_S.STOPPED, run_token=None
        )
        if changed:
            _tell(Reconciliation(pk=pk), "reconciliation.stopped", actor, "")
    return bool(changed)


def reconciliation_resume(*, pk: int, actor: Actor) -> bool:
    """Let one that was stopped or failed go on where it was. False if it is not one of these."""
    with transaction.atomic():
        changed = Reconciliation.objects.filter(pk=pk, state__in=[_S.STOPPED, _S.FAILED]).update(
            state=_S.QUEUED, run_token=None, error_text="", finished_at=None
        )
        if changed:
            _tell(Reconciliation(pk=pk), "reconciliation.resumed", actor, "")
    return bool(changed)


def totals(row: Reconciliation) -> dict[str, int]:
    """Discrepancies by severity, and rows looked at and skipped, over all checks."""
    summed: collections.Counter[str] = collections.Counter()
    for entry in row.counts.values():
        for name in ("looked", "skipped", *_SEVERITIES):
            summed[name] += entry.get(name, 0)
    return {name: summed[name] for name in ("looked", "skipped", *_SEVERITIES)}


def totals_words(row: Reconciliation) -> str:
    """Say how it ended in one line."""
    found = totals(row)
    return ", ".join(f"{name}: {found[name]:,}" for name in _SEVERITIES)


def is_sampled(row: Reconciliation, check: str) -> bool:
    """Whether a sample narrows this check."""
    return row.sample_size is not None and check in SAMPLED


def discrepancies(row: Reconciliation, *, severity: str = "", code: str = "") -> QuerySet[Discrepancy]:
    """What was kept, in the order in which it was found."""
    rows = Discrepancy.objects.filter(reconciliation=row)
    rows = rows.filter(severity=severity) if severity else rows
    rows = rows.filter(code=code) if code else rows
    return rows.select_related("thread").order_by("pk")


def checks_left(row: Reconciliation, check: str) -> Sequence[str]:
    """This check and those after it."""
    return row.checks[row.checks.index(check) :]


def _claimable() -> Q:
    return Q(state=_S.QUEUED) | Q(state=_S.RUNNING, heartbeat_at__lt=Now() - STALE)


def _write(row: Reconciliation, **changes: Any) -> None:
    changed = Reconciliation.objects.filter(pk=row.pk, run_token=row.run_token, state=_S.RUNNING).update(
        **{"heartbeat_at": Now(), **changes}
    )
    if changed != 1:
        raise RunLostError(f"Reconciliation {row.pk} was stopped, or another worker has it.")
    for name in ("check_name", "cursor", "counts", "state"):
        if name in changes:
            setattr(row, name, changes[name])


def _tell(row: Reconciliation, verb: str, actor: Actor, reason: str) -> None:
    audit_record(actor=actor, verb=verb, subject_kind="reconciliation", subject_id=str(row.pk), reason=reason)


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL; a subject is cut to its column."""
    return text.replace("\x00", "")[:2_000]
