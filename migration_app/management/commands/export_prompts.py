"""``manage.py export_prompts``: prompts as JSON files, for source control."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.management.batches import command_actor
from migration_app.models import Prompt
from migration_app.services.audit import audit_record
from migration_app.services.prompts import prompts_write


class Command(BaseCommand):
    """Write the newest version of each prompt to ``DIR/<slug>.json``."""

    help = "Write the newest version of each prompt to DIR/<slug>.json, byte for byte stable."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the directory."""
        parser.add_argument("directory", type=Path)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write the files and name them."""
        directory: Path = options["directory"]
        audit_record(
            actor=command_actor(),
            verb="prompts.exported",
            subject_kind="prompt",
            subject_id="all",
            reason=str(directory),
        )
        try:
            written = prompts_write(Prompt.objects.all(), directory)
        except OSError as error:
            raise CommandError(f"{directory} could not be written: {error.strerror}.") from error
        for path in written:
            self.stdout.write(str(path))
        if not written:
            self.stderr.write(
                "There is no prompt yet: convert assistants first (`manage.py convert_assistants --all`)."
            )
