"""A command of its own for a kind of batch: the short way to write ``manage.py batch start KIND``."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser

from migration_app.batches.kinds import BATCH_KINDS
from migration_app.management.batches import add_batch_arguments, batch_run


class BatchCommand(BaseCommand):
    """Start a batch of one kind; the table of kinds has its options and texts."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.help = BATCH_KINDS[cls.kind].help

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what the kind asks."""
        add_batch_arguments(parser, BATCH_KINDS[self.kind])

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the batch; with --wait, report by status."""
        batch_run(self, BATCH_KINDS[self.kind], options)
