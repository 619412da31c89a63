"""``manage.py convert_assistants``: make a prompt version of each assistant."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.models import Assistant
from migration_app.prompts.assistants import assistant_convert_next, conversions_request


class Command(BaseCommand):
    """Convert assistants here and now: it takes milliseconds each and sends nothing."""

    help = "Convert assistants to prompts; a new version each time something changed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --all, --assistant and --reason."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--all", action="store_true", help="every assistant whose object is in the console"
        )
        which.add_argument("--assistant", action="append", metavar="ID", help="this assistant (repeatable)")
        parser.add_argument(
            "--reason", default="manage.py convert_assistants", help="why, for the audit trail"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask for the conversions, do them, and say how each assistant came out."""
        assistants = Assistant.objects.all()
        if options["assistant"]:
            assistants = assistants.filter(assistant_id__in=options["assistant"])
            missing = set(options["assistant"]) - set(assistants.values_list("assistant_id", flat=True))
            if missing:
                raise CommandError(
                    f"Not in the console: {', '.join(sorted(missing))}. Import these assistants first."
                )
        pks = list(assistants.values_list("pk", flat=True))
        asked = conversions_request(assistant_pks=pks, actor=command_actor(), reason=options["reason"])
        while assistant_convert_next(actor=command_actor()):
            pass
        for assistant in assistants.filter(source__isnull=False).order_by("assistant_id"):
            self.stdout.write(f"{assistant.assistant_id}  {assistant.fidelity:<11}  {assistant.prompt.slug}")
        left = len(pks) - asked
        if left:
            self.stderr.write(
                f"{left} left out: their objects are not in the console, or were asked for already."
            )
