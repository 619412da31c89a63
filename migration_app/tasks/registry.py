"""The kinds of long work. A new one is a class in its subject's room and one line here; jobs and workers follow.

The rooms are named by text: those beside the engine can be deleted with their line, and nothing else notices.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterable, Mapping

from django.db import models
from django.utils.module_loading import import_string

from migration_app.contracts import Actor
from migration_app.tasks.turns import Turn

URGENT, DEFAULT = "urgent", "default"
"""The queues: high-priority batches go into the first, which every worker empties before it serves the second."""

_KINDS = (
    "migration_app.engine.tasks.BATCH_TASK",
    "migration_app.imports.tasks.IMPORT_TASK",
    "migration_app.prompts.tasks.CONVERSIONS_TASK",
    "migration_app.prompts.tasks.ASSISTANT_CHECKS_TASK",
    "migration_app.reconciliation.tasks.RECONCILIATION_TASK",
    "migration_app.trials.tasks.TRIAL_TASK",
    "migration_app.readiness.tasks.READINESS_TASK",
    "migration_app.review.tasks.READING_TASK",
    "migration_app.engine.tasks.GIVEN_UP_TASK",
)
"""In the order in which a sweep enqueues what waits."""


class TaskKind(abc.ABC):
    """One kind of long work: what waits, and one turn at it. The database says all; a job holds a name and a number.

    ``name`` is part of job ids and shown on pages. A kind without rows of its own waits as number 0. ``model``: whose
    ``created_by_name`` the work is done in the name of; None: the worker's own.
    """

    name: str
    model: type[models.Model] | None = None

    @abc.abstractmethod
    def waiting(self) -> Iterable[int]:
        """Numbers of what a worker should take now, whether or not a job of it is in the queue."""

    @abc.abstractmethod
    def turn(self, pk: int, turn: Turn) -> bool:
        """Work on it until it is done or the turn is over. Returns whether it is to be enqueued again at once."""

    def queue(self, pk: int) -> str:  # noqa: ARG002 - for kinds that ask
        """The queue that its jobs go into."""
        return DEFAULT

    def tidy(self, actor: Actor) -> None:  # noqa: B027 - most kinds have nothing to tidy
        """Do what is due without anybody's request: start what is scheduled, end what was abandoned."""

    def acts_for(self, pk: int) -> tuple[str, int | None]:
        """Name and user id of who asked for it; empty for the worker itself."""
        if self.model is None:
            return "", None
        rows: models.QuerySet[models.Model] = models.QuerySet(self.model)
        found = rows.filter(pk=pk).values_list("created_by_name", "created_by_id").first()
        return (found[0], found[1]) if found else ("", None)


@functools.cache
def task_kinds() -> Mapping[str, TaskKind]:
    """All kinds by name. Imports every room that has one."""
    kinds: list[TaskKind] = [import_string(path) for path in _KINDS]
    return {kind.name: kind for kind in kinds}
