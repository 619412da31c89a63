"""A try-out at work: thread by thread, turn by turn, each asked with the history that it really had.

    history   scratch conversation "sending"   →  POST …/items               (per chunk; ``trials.scratch``)
    ask       result and scratch "asking",
              what it may use at most          →  POST /responses
    tools     its calls compared with those of the original run; all known: their outputs  →  POST /responses
    restore                                    →  GET …/items, DELETE what the response left
    end                                        →  items, responses, conversation deleted, confirmed by reading

A response is asked for once: one whose answer is lost counts as spent and stays *unknown*. The call that could go
beyond the budget is not made; deleting is no matter of budget. Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses

from migration_app.contracts import Actor
from migration_app.gateways.errors import GatewayError
from migration_app.models import Thread, Trial, TrialResult, TrialScratch
from migration_app.tasks.connections import Connections, connections_of_settings
from migration_app.tasks.lifecycle import WorkerStopError
from migration_app.tasks.turns import Watch
from migration_app.trials.plan import Material, thread_material
from migration_app.trials.scratch import (
    BudgetError,
    Desk,
    scratch_at,
    scratch_delete,
    scratch_restore,
    scratches_recover,
)
from migration_app.trials.trials import (
    TRIALS,
    results_of,
    scratches_left,
    stored_id,
    trial_end,
    trial_recover,
    trial_state,
    trial_step,
)
from migration_app.trials.turn import original_note, result_fail, turn_ask

_R = TrialResult.State

_RESPONSE_SECONDS = 240.0
"""Of silence: a response is one answer, and a model may think for minutes before it gives it."""

ALIKE = 3
"""So many turns in a row that fail with one code speak of the prompt or the world, not of the turns."""


class _EndError(Exception):
    """No more requests. The text is for operators."""


@dataclasses.dataclass(slots=True)
class _Alike:
    code: str = ""
    times: int = 0


def trial_connections() -> Connections:
    """Connections with the patience that responses need."""
    return connections_of_settings(target_seconds=_RESPONSE_SECONDS)


def trial_work(*, pk: int, actor: Actor, apis: Connections, watch: Watch | None = None) -> bool:
    """Take a try-out and work on it to its end, or until ``watch.stop``. Returns whether work is left."""

    def do(row: Trial) -> None:
        around = watch or Watch()
        with apis.target_opened() as (loop, connection):
            desk = Desk(row, connection, loop, around.stop)
            trial_recover(row)
            scratches_recover(row)
            reason = _asked_all(desk, around)
            _clean(desk)
            trial_end(row, reason=reason, actor=actor)

    return TRIALS.work(pk, do, actor=actor)


def _asked_all(desk: Desk, watch: Watch) -> str:
    """Request all that is pending; returns why it ended early, as text, else empty."""
    alike = _Alike()
    try:
        for thread_pk in _threads(desk.row):
            _pause_point(desk)
            thread = Thread.objects.select_related("batch").get(pk=thread_pk)
            material = thread_material(thread)
            for slot in ("a", "b") if desk.row.is_ab else ("a",):
                _ask_slot(desk, watch, alike, thread=thread, material=material, slot=slot)
    except (_EndError, BudgetError) as end:
        return str(end)
    return ""


def _threads(row: Trial) -> list[int]:
    pending = results_of(row).filter(state=_R.PENDING).order_by("turn__position")
    return list(dict.fromkeys(pending.values_list("turn__thread_id", flat=True)))


def _pause_point(desk: Desk) -> None:
    if desk.stop():
        raise WorkerStopError
    if trial_state(desk.row) == Trial.State.STOPPING:
        reason = Trial.objects.filter(pk=desk.row.pk).values_list("error_text", flat=True).get()
        raise _EndError(reason or "Stopped.")


def _clean(desk: Desk) -> None:
    """Delete every conversation that is still in use or to be deleted."""
    to_delete = [TrialScratch.State.OPEN, TrialScratch.State.DELETING]
    for scratch in scratches_left(desk.row).filter(state__in=to_delete):
        if desk.stop():
            raise WorkerStopError
        scratch_delete(desk, scratch)


def _ask_slot(
    desk: Desk, watch: Watch, alike: _Alike, *, thread: Thread, material: Material, slot: str
) -> None:
    """Ask one version all pending turns of one thread, then delete the conversation."""
    pending = results_of(desk.row).filter(state=_R.PENDING, slot=slot, turn__thread=thread)
    results = list(pending.select_related("turn").order_by("turn__position"))
    turns = {stored_id(turn.message_id): turn for turn in material.turns}
    while results:
        _pause_point(desk)
        result = results.pop(0)
        turn = turns.get(result.turn.message_id)
        if turn is None:
            trial_step(desk.row, result=(result, {"state": _R.FAILED, "error_code": "turn_gone"}))
            continue
        recorded = original_note(desk, result.turn, material, turn)
        try:
            scratch = scratch_at(
                desk, thread_pk=thread.pk, slot=slot, plan=material.plan, first_item=turn.first_item
            )
        except GatewayError as error:
            # Where the history is refused for good, that of every later turn is.
            stuck = [result, *(results if error.permanent else ())]
            for one in stuck:
                result_fail(desk, one, error)
            results = results if not error.permanent else []
            _count(alike, error.code)
            continue
        turn_ask(desk, result, scratch, material=material, turn=turn, recorded=recorded)
        if scratch.state == TrialScratch.State.ASKING and results:
            scratch_restore(desk, scratch)
        elif scratch.state == TrialScratch.State.DELETING:
            scratch_delete(desk, scratch)
        watch.progress(desk.row)
        _count(alike, result.error_code if result.state in (_R.FAILED, _R.UNKNOWN) else "")
    to_delete = [TrialScratch.State.OPEN, TrialScratch.State.ASKING, TrialScratch.State.DELETING]
    for scratch in scratches_left(desk.row).filter(thread=thread, slot=slot, state__in=to_delete):
        scratch_delete(desk, scratch)


def _count(alike: _Alike, code: str) -> None:
    """Count failures with one code in a row. _EndError if they are too many."""
    alike.times = alike.times + 1 if code and code == alike.code else int(bool(code))
    alike.code = code
    if alike.times >= ALIKE:
        raise _EndError(
            f"{ALIKE} turns in a row failed with the same error ({code}). Check one, fix the cause, then resume."
        )
