"""Conversions of assistants, and checks of assistants at the live source, as kinds of long work.

Assistants are claimed one by one, by a row lock that a dead worker loses: there is no task's row.
"""

from __future__ import annotations

from migration_app.models import Assistant
from migration_app.prompts.assistant_check_work import checks_work
from migration_app.prompts.assistants import assistant_convert_next
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.registry import TaskKind
from migration_app.tasks.turns import Turn


class ConversionsTask(TaskKind):
    """Convert every assistant that was asked for."""

    name = "conversions"

    def waiting(self) -> list[int]:
        """Whether one was asked for."""
        return [0] if Assistant.objects.filter(status=Assistant.Status.QUEUED).exists() else []

    def turn(self, pk: int, turn: Turn) -> bool:  # noqa: ARG002 - there is only one
        """Convert one after the other, until urgent work waits or the turn is over."""
        while not turn.is_over():
            if not assistant_convert_next(actor=turn.actor):
                return False
            turn.make_room()
        return True


class AssistantChecksTask(TaskKind):
    """Check every assistant that was asked for at the live source."""

    name = "assistant_checks"

    def waiting(self) -> list[int]:
        """Whether one was asked for."""
        return [0] if Assistant.objects.filter(source_check=Assistant.SourceCheck.ASKED).exists() else []

    def turn(self, pk: int, turn: Turn) -> bool:  # noqa: ARG002 - there is only one
        """Check them in groups until none is left."""
        checks_work(connect=connections_of_settings().source, actor=turn.actor, stop=turn.stop)
        return False


CONVERSIONS_TASK = ConversionsTask()
ASSISTANT_CHECKS_TASK = AssistantChecksTask()
