"""``manage.py import_prompts``: edited prompt files as new versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.prompts.imports import PromptFileError, files_of, prompts_import


class Command(BaseCommand):
    """Bring exported and edited files back: each that says something new becomes a draft."""

    help = (
        "Make a new version (a draft) of each exported file that was edited: JSON, or a Python module, which is "
        "read and never run. All files are checked first; with one that can't be taken, nothing is imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the files."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, and say what became of each file."""
        try:
            imported = prompts_import(files=files_of(options["paths"]), author=command_actor())
        except PromptFileError as error:
            raise CommandError(f"{error} Nothing was imported.") from error
        except OSError as error:
            raise CommandError(f"{error.filename} could not be read: {error.strerror}.") from error
        if not imported:
            raise CommandError("There is no .json or .py file there.")
        for each in imported:
            if each.version is None:
                self.stdout.write(f"{each.file_name}: unchanged")
                continue
            self.stdout.write(f"{each.file_name}: {each.slug} v{each.version} (draft)")
            if each.behind:
                self.stderr.write(
                    f"{each.file_name}: it does not know {each.slug} v{each.behind}, made after it was exported: "
                    "compare the two before it is approved."
                )
