"""``manage.py anew``: leave conversations where they are, and backfill their threads into new ones."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from migration_app.management.batch_command import BatchCommand
from migration_app.management.batches import add_policy_argument
from migration_app.models import Batch


class Command(BatchCommand):
    """Begin threads in review anew."""

    help = (
        "For threads in review: leave the old conversation at the target, and backfill the whole thread into a new "
        "one. The mapping changes. With --wait: exit 1 if any thread ends with an error."
    )
    kind = Batch.Kind.ANEW
    verb = "begin anew"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options, and the policies."""
        super().add_arguments(parser)
        add_policy_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the batch, if there is a reason."""
        if not options["reason"]:
            raise CommandError("Say why with --reason: these threads get other conversation ids.")
        super().handle(*args, **options)
