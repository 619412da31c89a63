"""``manage.py rollback``: delete what was sent to the target, and confirm it by reading."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from migration_app.batches.kinds import FOREIGN_TOO
from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """Roll threads back. Many, or what is not ours, wait for a second person."""

    help = (
        "Delete what was sent to the target for these threads, items first, then the conversation, and confirm it "
        "by reading. Many threads (the person's other roll backs of the last hours counted in), and --not-ours-too, "
        "wait for a second person's approval. With --wait: exit 1 if any thread ends with "
        "an error."
    )
    kind = Batch.Kind.ROLLBACK
    verb = "roll back"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options, and the one that deletes more."""
        super().add_arguments(parser)
        parser.add_argument(
            "--not-ours-too",
            action="store_true",
            help="delete also what applications added to these conversations: the console has no copy of it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the batch, if there is a reason."""
        if not options["reason"]:
            raise CommandError("Say why with --reason: what is deleted can't be brought back.")
        if options["not_ours_too"]:
            options["batch_settings"] = {FOREIGN_TOO: True}
        super().handle(*args, **options)
