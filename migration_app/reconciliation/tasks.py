"""Reconciliations as a kind of long work."""

from __future__ import annotations

from django.conf import settings

from migration_app.contracts import Actor
from migration_app.models import Reconciliation
from migration_app.reconciliation.records import RECONCILIATIONS, reconciliation_schedule
from migration_app.reconciliation.review import review_send, reviews_waiting
from migration_app.reconciliation.work import reconcile_work
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.registry import TaskKind
from migration_app.tasks.turns import Turn


class ReconciliationTask(TaskKind):
    """Take turns at a reconciliation, then send its threads to review if that was asked for."""

    name = "reconcile"
    model = Reconciliation

    def waiting(self) -> list[int]:
        """Reconciliations to be worked on, and those that a review was asked for of."""
        return sorted({*RECONCILIATIONS.waiting(), *reviews_waiting()})

    def tidy(self, actor: Actor) -> None:
        """Start the regular one when it is due."""
        reconciliation_schedule(every_hours=settings.RECONCILE_EVERY_HOURS, actor=actor)

    def turn(self, pk: int, turn: Turn) -> bool:
        """Work on it until the turn is over or urgent work waits."""
        apis = connections_of_settings()
        if reconcile_work(pk=pk, actor=turn.actor, apis=apis, watch=turn.watch()):
            return True
        review_send(pk=pk, actor=turn.actor)
        return False


RECONCILIATION_TASK = ReconciliationTask()
