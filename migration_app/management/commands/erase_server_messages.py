"""``manage.py erase_server_messages``: erase server messages of threads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.management.batches import add_which_arguments, selection_from
from migration_app.threads.server_messages import server_messages_erase


class Command(BaseCommand):
    """Erase the messages of a target's or source's refusals, which may quote content."""

    help = (
        "Erase messages of the target or the source about threads, which may quote content. Code, "
        "status and request id stay; the audit trail keeps who erased them and why."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --all, --thread, --status and --reason."""
        add_which_arguments(parser, verb="erase the messages of")
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Erase them, if there is a reason."""
        reason = options["reason"].strip()
        if not reason:
            raise CommandError("Say why with --reason: it is kept in the audit trail.")
        erased = server_messages_erase(
            selection=selection_from(options), actor=command_actor(), reason=reason
        )
        self.stdout.write(f"Erased what servers said of {erased} threads.")
