"""Imports as a kind of long work."""

from __future__ import annotations

from migration_app.contracts import Actor
from migration_app.imports.imports import IMPORTS, import_work, imports_tidy
from migration_app.tasks.registry import TaskKind
from migration_app.tasks.turns import Turn

_GRACE_SECONDS = 20.0
"""Service managers give a process 90 seconds; what takes longer is restarted, and passes over what is stored."""


class ImportTask(TaskKind):
    """Read an uploaded file. A stopping worker finishes a short one, and leaves a long one to the next."""

    name = "import"

    def waiting(self) -> list[int]:
        """Uploads to be read, and threads of imports that ended early to be assessed."""
        return IMPORTS.waiting()

    def tidy(self, actor: Actor) -> None:
        """End imports whose command was killed."""
        imports_tidy(actor=actor)

    def turn(self, pk: int, turn: Turn) -> bool:
        """Read it to its end: an import makes no room for others."""
        import_work(source_import_pk=pk, actor=turn.actor, stop=turn.stopped_for(_GRACE_SECONDS))
        return turn.stop.is_set() and IMPORTS.claimable().filter(pk=pk).exists()


IMPORT_TASK = ImportTask()
