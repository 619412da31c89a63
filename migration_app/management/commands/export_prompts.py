"""``manage.py export_prompts``: prompts as JSON files and Python modules, for source control."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.audit.trail import audit_record
from migration_app.models import Prompt
from migration_app.prompts.files import (
    FORMATS,
    DirectoryState,
    directory_state,
    directory_write,
    prompts_export,
)


class Command(BaseCommand):
    """Write the active version of each prompt to a directory, or check that the files there are up to date."""

    help = (
        "Write the active version of each prompt to DIR, as <slug>.json and as a Python module, byte for byte "
        "stable; files that an earlier export wrote and this one would not are removed. With --check nothing is "
        "written: exit 1 if a file is missing, stale or left over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the directory, --check, --format and --all-newest."""
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit 1 if DIR is not up to date"
        )
        parser.add_argument("--format", choices=FORMATS, default="both", help="which files (default both)")
        parser.add_argument(
            "--all-newest", action="store_true", help="of a prompt without an active version, take the newest"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Compare, then say so or write."""
        directory: Path = options["directory"]
        export = prompts_export(Prompt.objects.all(), format=options["format"], newest=options["all_newest"])
        for slug in export.left_out:
            self.stderr.write(f"{slug}: no version is active, so it is not exported (--all-newest would).")
        if not export.files and not export.left_out:
            self.stderr.write(
                "There is no prompt yet: convert assistants first (`manage.py convert_assistants --all`)."
            )
        try:
            state = directory_state(export, directory, format=options["format"])
        except OSError as error:
            raise CommandError(f"{directory} could not be read: {error.strerror}.") from error
        if options["check"]:
            self._tell(state, ("missing", "stale", "left over"))
            if not state.is_current:
                raise CommandError(f"{directory} is not up to date: run manage.py export_prompts {directory}")
            return
        if not export.files and state.left_over:
            # Rather the wrong database than the wish to remove everything.
            raise CommandError("There is nothing to export: nothing was written, and nothing removed.")
        audit_record(
            actor=command_actor(),
            verb="prompts.exported",
            subject_kind="prompt",
            subject_id="all",
            reason=str(directory),
        )
        try:
            directory_write(export, directory, state)
        except OSError as error:
            raise CommandError(f"{directory} could not be written: {error.strerror}.") from error
        self._tell(state, ("written", "written", "removed"))
        changed = len(state.missing) + len(state.stale)
        self.stdout.write(f"{len(export.files)} files in {directory}, {changed} of them new or changed.")

    def _tell(self, state: DirectoryState, text: tuple[str, str, str]) -> None:
        for word, names in zip(text, (state.missing, state.stale, state.left_over), strict=True):
            for name in names:
                self.stdout.write(f"{word}: {name}")
