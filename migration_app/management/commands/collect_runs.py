"""``manage.py collect_runs``: rows of runs for threads that were snapshotted before the console kept such rows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.snapshots.runs import Collected, runs_collect


class Command(BaseCommand):
    """Read snapshots and write their runs. After a stop the same command resumes."""

    help = (
        "List the runs of threads that were snapshotted by an older version. Newer ones are listed as they come in. "
        "Nothing is sent; it can be stopped and started again at any time, beside workers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --everything and --after."""
        parser.add_argument(
            "--everything",
            action="store_true",
            help="read every snapshot again, not only those without listed runs",
        )
        parser.add_argument(
            "--after",
            type=int,
            default=0,
            metavar="NUMBER",
            help="with --everything: continue after this number",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Collect, telling after each group of threads how far it is."""

        def tell(done: Collected) -> None:
            self.stderr.write(
                f"{done.threads:,} threads read, {done.rows:,} runs written; at number {done.last_pk}"
            )

        done = runs_collect(
            actor=command_actor(), everything=options["everything"], after=options["after"], progress=tell
        )
        self.stdout.write(f"{done.rows:,} runs of {done.threads:,} threads are written.")
