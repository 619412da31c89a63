"""The commands that start a batch and report it by status: each of them says only what is its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser

from migration_app.management.batches import add_selection_arguments, batch_report, batch_start


class BatchCommand(BaseCommand):
    """Start a batch of one kind. With --wait: exit code 1 if any thread of it ended with an error."""

    kind: ClassVar[str]
    verb: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options."""
        add_selection_arguments(parser, verb=self.verb)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the batch; with --wait, report by status."""
        batch = batch_start(self, kind=self.kind, options=options)
        if options["wait"]:
            batch_report(self, batch)
