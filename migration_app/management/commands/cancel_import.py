"""``manage.py cancel_import``: end an import that waits or is being read."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from migration_app.audit.command_line import command_actor
from migration_app.imports.control import import_cancel
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.jobs import enqueue


class Command(BaseCommand):
    """What *Cancel* on an import's page does, for scripts."""

    help = (
        "Cancel an import that waits or is being read, by a worker or a command: it ends within a second, and its "
        "upload is deleted. What it has stored stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the import and the reason."""
        parser.add_argument("source_import", type=int, metavar="IMPORT", help="its number")
        parser.add_argument("--reason", required=True, help="why, for the audit trail")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Cancel it; a CommandError says that there is nothing to cancel."""
        pk: int = options["source_import"]
        if not options["reason"].strip():
            raise CommandError("Say why with --reason.")
        with transaction.atomic():
            if not import_cancel(
                source_import_pk=pk, actor=command_actor(), reason=options["reason"].strip()
            ):
                raise CommandError(f"There is no import {pk} that waits or is being read.")
            enqueue(IMPORT_TASK, pk)  # to assess what it has stored
        self.stdout.write(f"Import {pk} is cancelled.")
