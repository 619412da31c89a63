"""The engine's kinds of long work: turns at batches, and the deletion of conversations given up in doubt."""

from __future__ import annotations

import logging

from migration_app.batches.batches import batch_fail, batch_finish, batch_prepare_piece
from migration_app.batches.cancel import batch_take_back
from migration_app.batches.claims import threads_claimable
from migration_app.batches.control import WORKED_ON, batch_control, urgent_work_waits
from migration_app.contracts import Actor
from migration_app.counters import counters_fold
from migration_app.engine.given_up import given_up_work
from migration_app.engine.runner import batch_work
from migration_app.models import Batch
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.registry import DEFAULT, URGENT, TaskKind
from migration_app.tasks.turns import Turn
from migration_app.threads.given_up import given_up_due
from migration_app.threads.selections import SelectionError

logger = logging.getLogger(__name__)

S = Batch.State


class BatchTask(TaskKind):
    """Hand out a batch's work, take turns at it, or take it back: what its state asks for.

    Its threads are claimed one by one, never the batch: while there is work, one job of it waits in the queue, and
    every worker that comes free joins in, also while the first one still hands out. After a turn a worker goes to the
    end of the queue, so that batches share the workers. A paused or waiting batch leaves the queue until it is resumed.
    """

    name = "batch"
    model = Batch

    def waiting(self) -> list[int]:
        """Batches with work that a worker may take. Paused and waiting ones are left."""
        begun = Batch.objects.filter(state__in=[*WORKED_ON, S.CANCELLING]).values_list("pk", "state")
        return [pk for pk, state in begun if state != S.RUNNING or threads_claimable(pk).exists()]

    def tidy(self, actor: Actor) -> None:
        """Close batches whose last worker died before it did, and add up the counters."""
        for pk in Batch.objects.filter(state=S.RUNNING).values_list("pk", flat=True):
            if not threads_claimable(pk).exists():
                batch_finish(batch_pk=pk, actor=actor)
        counters_fold()

    def queue(self, pk: int) -> str:
        """High-priority batches have a queue of their own."""
        return URGENT if Batch.objects.filter(pk=pk, urgent=True).exists() else DEFAULT

    def turn(self, pk: int, turn: Turn) -> bool:
        """Hand out what is left to hand out, then work on threads until the turn ends."""
        batch = Batch.objects.filter(pk=pk).first()
        if batch is None:
            logger.warning("batch %s is not in the database; nothing to do", pk)
            return False
        try:
            while not turn.stop.is_set() and batch_prepare_piece(batch_pk=pk, actor=turn.actor):
                _invite(pk, turn)
        except SelectionError as error:
            batch_fail(batch_pk=pk, error_text=str(error), actor=turn.actor)
            return False
        if not turn.stop.is_set():
            if batch_finish(batch_pk=pk, actor=turn.actor):
                return False
            if batch_control(pk).may_continue:
                _invite(pk, turn)
                batch_work(batch_pk=pk, connections=connections_of_settings(batch), turn=turn)
        # After an error the sweep does this, and so not at once.
        return _left(pk, turn)


def _invite(pk: int, turn: Turn) -> None:
    """Let one more worker join in, if there is work for two."""
    if len(threads_claimable(pk).values_list("pk", flat=True)[:2]) > 1:
        turn.enqueue(pk)


def _left(pk: int, turn: Turn) -> bool:
    """Leave the batch as its state asks. Returns whether it goes back into the queue."""
    control = batch_control(pk)
    if control.state == S.CANCELLING:
        batch_take_back(batch_pk=pk, actor=turn.actor)  # what others hold is taken back when they end
        return False
    if not control.may_continue:
        return False
    if not control.urgent and urgent_work_waits(pk):
        # It may be why this turn ended. Should the queue have lost it, this worker must not come back at once.
        for urgent in Batch.objects.filter(urgent=True, state__in=WORKED_ON).values_list("pk", flat=True):
            turn.enqueue(urgent)
    half_handed_out = turn.stop.is_set() and control.state == S.PREPARING
    return half_handed_out or threads_claimable(pk).exists()


class GivenUpTask(TaskKind):
    """Delete conversations that were given up in doubt and are due."""

    name = "given_up"

    def waiting(self) -> list[int]:
        """Whether one is due."""
        return [0] if given_up_due() else []

    def turn(self, pk: int, turn: Turn) -> bool:  # noqa: ARG002 - there is only one
        """Delete one after the other, until urgent work waits. What is left waits for the next sweep."""

        def stop() -> bool:
            turn.make_room()
            return turn.is_over()

        given_up_work(actor=turn.actor, apis=connections_of_settings(), stop=stop)
        return False


BATCH_TASK = BatchTask()
GIVEN_UP_TASK = GivenUpTask()
