"""``manage.py export_mapping``: thread id → conversation id, as CSV."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.audit.trail import audit_record
from migration_app.management.private_files import private_open
from migration_app.models import Thread
from migration_app.threads.mapping import mapping_chunks, mapping_columns
from migration_app.threads.selections import selection_of_filters


class Command(BaseCommand):
    """Write the mapping to a file or to standard output, in constant memory."""

    help = f"Write the mapping as CSV. Columns: {', '.join(mapping_columns())}."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add -o and --status."""
        parser.add_argument("-o", "--output", metavar="FILE", help="write here instead of standard output")
        parser.add_argument("--status", choices=Thread.Status.values, help="only threads of this status")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Export, through a file beside the target: a partial export never has the final name."""
        selection = selection_of_filters({"status__exact": options["status"]} if options["status"] else {})
        output = options["output"]
        audit_record(
            actor=command_actor(),
            verb="mapping.exported",
            subject_kind="mapping",
            subject_id=options["status"] or "all",
            reason=f"to {output or 'standard output'}",
        )
        if output is None:
            for block in mapping_chunks(selection):
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
            return
        target = Path(output)
        part = target.with_name(f"{target.name}.part")
        try:
            with private_open(part, "wb") as stream:
                for block in mapping_chunks(selection):
                    stream.write(block)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(target)
        except OSError as error:
            raise CommandError(f"{target} could not be written: {error.strerror}.") from error
        self.stderr.write(f"{target} is written.")
