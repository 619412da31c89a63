"""Try-outs as a kind of long work."""

from __future__ import annotations

from migration_app.models import Trial
from migration_app.tasks.registry import TaskKind
from migration_app.tasks.turns import Turn
from migration_app.trials.trials import TRIALS
from migration_app.trials.work import trial_connections, trial_work


class TrialTask(TaskKind):
    """Take turns at a try-out, or clean up after it."""

    name = "trial"
    model = Trial

    def waiting(self) -> list[int]:
        """Try-outs that are queued, to be cleaned up after, or left by a dead worker."""
        return TRIALS.waiting()

    def turn(self, pk: int, turn: Turn) -> bool:
        """Work on it until the turn is over or urgent work waits."""
        return trial_work(pk=pk, actor=turn.actor, apis=trial_connections(), watch=turn.watch())


TRIAL_TASK = TrialTask()
