"""``manage.py import_archive``: archives of API objects, and transcripts, from files."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.archive.files.shape import Replayed, Shape, file_shape
from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.audit.command_line import command_actor
from migration_app.management.imports import (
    RejectFile,
    file_import,
    file_queue,
    files_checked,
    files_listed,
    reject_path,
    summary_print,
)
from migration_app.models import SourceImport


class Command(BaseCommand):
    """Read files into the console. Exit code 1 if one of them could not be read; rejects alone are no failure."""

    help = (
        "Import archives (JSON Lines, arrays, bundles, .gz) and transcripts (JSON Lines, CSV). What can't be "
        "read goes to a reject file; the rest goes in. Exit code 1 if a file could not be read at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the paths and options."""
        parser.add_argument(
            "paths", nargs="+", metavar="PATH", help="a file to import, or a directory of files"
        )
        parser.add_argument(
            "--queue",
            action="store_true",
            help="upload the files and let the workers read them, as many at once as there are workers",
        )
        parser.add_argument(
            "--reject-file", metavar="FILE", help="where rejected lines go (default: PATH.rejects.jsonl)"
        )
        parser.add_argument(
            "--kind",
            choices=("auto", "archive", "transcripts"),
            default="auto",
            help="what the files hold (default: detected from their first line)",
        )
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import each file, then exit 1 if one failed; or leave each to the workers."""
        paths = files_checked(files_listed(options["paths"]))
        actor = command_actor()
        if options["queue"]:
            for path in paths:
                with path.open("rb") as stream:
                    kind = self._kind(Replayed(stream).head, options["kind"])
                waiting = file_queue(path=path, kind=kind, reason=options["reason"], actor=actor)
                self.stdout.write(f"{path}: import {waiting.pk}")
            return
        failed = 0
        for path in paths:
            with path.open("rb") as stream:
                kind = self._kind(Replayed(stream).head, options["kind"])
            target = reject_path(path, options["reject_file"], several=len(paths) > 1)
            with RejectFile(target) as rejects:
                source_import = file_import(
                    self, path=path, kind=kind, reason=options["reason"], actor=actor, rejects=rejects
                )
            if source_import is None:
                failed += 1
            else:
                summary_print(self, path, source_import, rejects)
        if failed:
            raise CommandError(f"{failed} of {len(paths)} files could not be read.")
        sys.stdout.flush()

    def _kind(self, head: bytes, asked: str) -> str:
        if asked != "auto":
            return asked
        try:
            shape: Shape = file_shape(head)
        except ArchiveUnreadableError:
            return SourceImport.Kind.ARCHIVE  # the import itself says why, and records it
        is_transcript = shape in {"transcripts", "transcript_csv"}
        return SourceImport.Kind.TRANSCRIPTS if is_transcript else SourceImport.Kind.ARCHIVE
