"""Readiness checks as a kind of long work."""

from __future__ import annotations

import dataclasses

from migration_app.readiness.checks import CHECKS
from migration_app.readiness.work import readiness_work
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.registry import TaskKind
from migration_app.tasks.turns import Turn


class ReadinessTask(TaskKind):
    """Do the readiness checks that were asked for."""

    name = "readiness"

    def waiting(self) -> list[int]:
        """Whether one was asked for, or was left by a dead worker."""
        return [0] if CHECKS.claimable().exists() else []

    def turn(self, pk: int, turn: Turn) -> bool:  # noqa: ARG002 - one job does all
        """Do each in the name of who asked for it."""
        for row in CHECKS.claimable().order_by("pk"):
            actor = dataclasses.replace(turn.actor, name=row.created_by_name, user_id=row.created_by_id)
            readiness_work(kind=row.kind, actor=actor, apis=connections_of_settings(), stop=turn.is_over)
        return CHECKS.claimable().exists()


READINESS_TASK = ReadinessTask()
