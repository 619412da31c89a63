"""``manage.py snapshot``: fetch threads from the live source, unchanged."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from migration_app.management.batches import add_selection_arguments, batch_report, batch_start
from migration_app.models import Batch


class Command(BaseCommand):
    """Start a snapshot batch. With --wait: exit code 1 if any thread of it ended with an error."""

    help = (
        "Fetch threads from the live source, unchanged. With --wait: exit 1 if any thread ends with an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options."""
        add_selection_arguments(parser, verb="snapshot")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the batch; with --wait, report by status."""
        batch = batch_start(self, kind=Batch.Kind.SNAPSHOT, options=options)
        if options["wait"]:
            batch_report(self, batch)
