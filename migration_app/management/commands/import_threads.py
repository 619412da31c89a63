"""``manage.py import_threads``: thread ids from a CSV."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.management.imports import RejectFile, file_import, files_checked, reject_path
from migration_app.models import SourceImport


class Command(BaseCommand):
    """Register threads by their ids, to be fetched from a live source."""

    help = (
        "Import thread ids: CSV with the header thread_id[,user_ref][,assistant_id], or one id a line. "
        "Exit code 1 if the file could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the path and options."""
        parser.add_argument("path", metavar="FILE", help="the CSV file")
        parser.add_argument(
            "--reject-file", metavar="FILE", help="where rejected lines go (default: FILE.rejects.jsonl)"
        )
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import the file and say what came of it."""
        (path,) = files_checked([options["path"]])
        with RejectFile(reject_path(path, options["reject_file"], several=False)) as rejects:
            source_import = file_import(
                self,
                path=path,
                kind=SourceImport.Kind.THREAD_IDS,
                reason=options["reason"],
                actor=command_actor(),
                rejects=rejects,
            )
        if source_import is None:
            raise CommandError(f"{path} could not be imported.")
        counts = source_import.counts
        self.stdout.write(
            f"{counts['threads_new']:,} new threads, {counts['unchanged']:,} known already "
            f"({counts['filled']:,} completed), {counts['repeated']:,} repeated lines, "
            f"{source_import.reject_count:,} rejected."
        )
        if rejects.count:
            self.stderr.write(self.style.WARNING(f"Rejected lines and reasons: {rejects.path}"))
