"""Readings that were asked for, as a kind of long work."""

from __future__ import annotations

from migration_app.models import ReviewReading
from migration_app.review.readings import READINGS, reading_work
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.registry import URGENT, TaskKind
from migration_app.tasks.turns import Turn


class ReadingTask(TaskKind):
    """Read one conversation in review again. Somebody waits for it: it goes high priority."""

    name = "reading"
    model = ReviewReading

    def waiting(self) -> list[int]:
        """Readings that were asked for, or were left by a dead worker."""
        return READINGS.waiting()

    def queue(self, pk: int) -> str:  # noqa: ARG002 - all alike
        """Before others."""
        return URGENT

    def turn(self, pk: int, turn: Turn) -> bool:
        """Read it."""
        return reading_work(pk=pk, actor=turn.actor, apis=connections_of_settings(), stop=turn.is_over)


READING_TASK = ReadingTask()
