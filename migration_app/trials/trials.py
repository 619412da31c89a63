"""A try-out's own rows: asked for, claimed, written on call by call, ended. One transaction each, with audit.

The rule is that of the migration: what is about to be done is stored before the call, and its result
before the next one. Its lifecycle is that of every task (``tasks.lifecycle``). Calls no API.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import zlib
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor, JsonObject
from migration_app.models import PromptVersion, Trial, TrialResult, TrialScratch, TrialTurn
from migration_app.tasks.lifecycle import TEXT_LENGTH, Lifecycle
from migration_app.trials.plan import Settings, TrialPlan, TrialRefusedError

_S = Trial.State
_R = TrialResult.State

MAX_BUDGET_CALLS = 1_000_000
MAX_BUDGET_TOKENS = 10_000_000_000
ENDED = (_S.STOPPED, _S.FINISHED, _S.FAILED)
OPEN = (_S.QUEUED, _S.RUNNING, _S.STOPPING)

TRIALS = Lifecycle(
    model=Trial,
    subject="trial",
    stale=dt.timedelta(minutes=20),  # longer than one response may take
    held=frozenset({_S.RUNNING, _S.STOPPING}),
    verbs={
        _S.FINISHED: "trial.finished",
        _S.STOPPED: "trial.stopped",
        _S.FAILED: "trial.failed",
        _S.STOPPING: "trial.stop_asked",
        _S.QUEUED: "trial.resumed",
    },
)


def trial_create(
    *,
    version_a: PromptVersion,
    version_b: PromptVersion | None = None,
    plan: TrialPlan,
    chosen: Settings,
    max_calls: int,
    max_tokens: int,
    reason: str,
    actor: Actor,
) -> Trial:
    """Write down a try-out, for a worker or a command. TrialRefusedError if it can't be."""
    reason = _reason(reason)
    if version_b is not None and version_b.pk == version_a.pk:
        raise TrialRefusedError("Choose two different versions to compare, or only one to try out.")
    budget_check(max_calls, max_tokens)
    slots = ["a"] if version_b is None else ["a", "b"]
    with transaction.atomic():
        made = Trial.objects.create(
            version_a=version_a,
            version_b=version_b,
            reason=reason,
            max_calls=max_calls,
            max_tokens=max_tokens,
            max_rounds=chosen.max_rounds,
            max_output_tokens=chosen.max_output_tokens,
            estimated={
                **dataclasses.asdict(plan.costs),
                "left_out": dict(plan.left_out),
                "turns": len(plan.turns),
                "threads": plan.threads,
            },
            created_by_id=actor.user_id,
            created_by_name=actor.name,
        )
        turns = TrialTurn.objects.bulk_create(
            TrialTurn(
                trial=made,
                thread_id=turn.thread_pk,
                position=position,
                number=turn.number,
                message_id=stored_id(turn.message_id),
            )
            for position, turn in enumerate(plan.turns)
        )
        TrialResult.objects.bulk_create(TrialResult(turn=turn, slot=slot) for turn in turns for slot in slots)
        versions = f"{version_a} against {version_b}" if version_b else str(version_a)
        text = (
            f"{versions}: {len(turns)} turns of {plan.threads} threads, at most {max_calls} calls and "
            f"{max_tokens} tokens"
        )
        audit_record(
            actor=actor,
            verb="trial.started",
            subject_kind="trial",
            subject_id=str(made.pk),
            reason=f"{reason} [{text}]",
        )
    return made


def stored_id(message_id: str) -> str:
    """A source's id as its column holds it: no NUL, 255 characters."""
    return message_id.replace("\x00", "")[:255]


def budget_check(max_calls: int, max_tokens: int) -> None:
    """Raise TrialRefusedError for a budget that is none."""
    if not 1 <= max_calls <= MAX_BUDGET_CALLS:
        raise TrialRefusedError(f"The budget has 1 to {MAX_BUDGET_CALLS:,} calls.")
    if not 1 <= max_tokens <= MAX_BUDGET_TOKENS:
        raise TrialRefusedError(f"The budget has 1 to {MAX_BUDGET_TOKENS:,} tokens.")


def trial_step(
    row: Trial,
    *,
    calls: int = 0,
    cleaning_calls: int = 0,
    tokens: Mapping[str, int] | None = None,
    scratch: tuple[TrialScratch, Mapping[str, Any]] | None = None,
    result: tuple[TrialResult, Mapping[str, Any]] | None = None,
    turn: tuple[TrialTurn, Mapping[str, Any]] | None = None,
) -> None:
    """Write one step down, all of it or nothing: what was spent, and what became of rows. TaskLostError.

    ``tokens`` names columns of the try-out (tokens_in, tokens_out, tokens_unknown).
    """
    counts = {"calls": calls, "cleaning_calls": cleaning_calls, **(tokens or {})}
    with transaction.atomic():
        TRIALS.write(row, **{name: F(name) + count for name, count in counts.items() if count})
        for name, count in counts.items():
            setattr(row, name, getattr(row, name) + count)
        for changed in (scratch, result, turn):
            if changed is None:
                continue
            made, values = changed
            for name, value in values.items():
                setattr(made, name, value)
            made.save(update_fields=list(values) if made.pk else None)


def trial_state(row: Trial) -> str:
    """What the database says now. TaskLostError if the row is in other hands."""
    found = TRIALS.held_by(row).values_list("state", flat=True).first()
    if found is None:
        raise TRIALS.lost(row)
    return found


def trial_recover(row: Trial) -> None:
    """Settle what a dead worker left: a response in doubt is *unknown* and spent; what was not begun stays pending."""
    for result in results_of(row).filter(state=_R.ASKING):
        if result.asking_tokens:
            result_unknown(row, result)
        else:
            fresh = {"rounds": 0, "tokens_in": 0, "tokens_out": 0, "milliseconds": 0, "content": None}
            trial_step(row, result=(result, {"state": _R.PENDING, **fresh}))


def result_unknown(row: Trial, result: TrialResult, scratch: TrialScratch | None = None) -> None:
    """The answer of a response was lost: it counts at the most it can have used, and is not asked again."""
    trial_step(
        row,
        tokens={"tokens_unknown": result.asking_tokens},
        result=(result, {"state": _R.UNKNOWN, "asking_tokens": 0, "error_code": result.error_code or "lost"}),
        scratch=(scratch, {"state": TrialScratch.State.DELETING}) if scratch is not None else None,
    )


def trial_end(row: Trial, *, reason: str, actor: Actor) -> None:
    """Close it: finished if every turn was asked, else stopped for this reason. TaskLostError if it is not ours."""
    left = results_of(row).filter(state=_R.PENDING).count()
    spent = f"{row.calls} calls, {row.tokens} tokens"
    if left:
        cause = f"{spent}; {left} answers not asked for. {reason}"
        TRIALS.end(row, _S.STOPPED, actor=actor, reason=cause, error_text=reason)
    else:
        TRIALS.finish(row, actor=actor, reason=spent)


def trial_stop(*, pk: int, actor: Actor) -> bool:
    """Stop it: no response is asked for any more, and a worker deletes what it made. False if it was over."""
    return TRIALS.move(
        pk,
        _S.STOPPING,
        among=[_S.QUEUED, _S.RUNNING],
        actor=actor,
        claim_token=F("claim_token"),  # who has it cleans up
        error_text=storable_text(f"Stopped by {actor.name}.", TEXT_LENGTH),
    )


def trial_resume(*, pk: int, max_calls: int, max_tokens: int, reason: str, actor: Actor) -> bool:
    """Resume it with this budget; failed turns are requested again, lost answers never. False if none is left."""
    reason = _reason(reason)
    budget_check(max_calls, max_tokens)
    with transaction.atomic():
        row = Trial.objects.select_for_update().filter(pk=pk, state__in=ENDED).first()
        if row is None:
            return False
        results_of(row).filter(state=_R.FAILED, turn__verdict="").update(
            state=_R.PENDING, error_code="", content=None, status=""
        )
        if not results_of(row).filter(state=_R.PENDING).exists():
            return False
        return TRIALS.move(
            pk,
            _S.QUEUED,
            among=ENDED,
            actor=actor,
            reason=f"{reason} [at most {max_calls} calls and {max_tokens} tokens]",
            max_calls=max_calls,
            max_tokens=max_tokens,
            error_text="",
            finished_at=None,
        )


def trial_clean(*, pk: int, actor: Actor) -> bool:
    """Have a worker try once more to delete what is left at the target. False if there is nothing it could delete."""
    with transaction.atomic():
        row = Trial.objects.select_for_update().filter(pk=pk, state__in=ENDED).first()
        if row is None or not scratches_left(row).exclude(state=TrialScratch.State.LOST).exists():
            return False
        row.scratches.filter(state=TrialScratch.State.LEFT_BEHIND).update(state=TrialScratch.State.DELETING)
        return TRIALS.move(pk, _S.STOPPING, among=ENDED, actor=actor, verb="trial.cleaning_asked")


def results_of(row: Trial) -> QuerySet[TrialResult]:
    """All results of a try-out."""
    return TrialResult.objects.filter(turn__trial=row)


def scratches_left(row: Trial) -> QuerySet[TrialScratch]:
    """Conversations that may still be at the target."""
    return TrialScratch.objects.filter(trial=row).exclude(state=TrialScratch.State.DELETED).order_by("pk")


def content_pack(value: JsonObject) -> bytes:
    """Content as it is stored."""
    return zlib.compress(json.dumps(value, ensure_ascii=True).encode("ascii"), level=1)


def content_unpack(stored: bytes | memoryview | None) -> JsonObject:
    """Undo ``content_pack``; nothing stored is an empty object."""
    value: JsonObject = json.loads(zlib.decompress(bytes(stored))) if stored else {}
    return value


def _reason(reason: str) -> str:
    reason = storable_text(reason, TEXT_LENGTH).strip()
    if not reason:
        raise TrialRefusedError("Say why: it is kept in the audit trail.")
    return reason
