"""``manage.py rebuild_counters``: count threads and runs again, where a reconciliation found the counters to be off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.counters import counters_differences, counters_rebuild

_SHOWN = 20


class Command(BaseCommand):
    """Rebuild the counters of lists, dashboard and usage."""

    help = (
        "Count all threads and runs again, for the figures of lists, dashboard and usage. It reads every row, and what "
        "writes such rows waits for as long: seconds for a million. Threads and runs themselves are not changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --reason and --check."""
        parser.add_argument("--reason", default="manage.py rebuild_counters", help="why, for the audit trail")
        parser.add_argument("--check", action="store_true", help="only say which counters are off")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say what is off, then rebuild."""
        differences = counters_differences()
        for text in differences[:_SHOWN]:
            self.stdout.write(text)
        if len(differences) > _SHOWN:
            self.stdout.write(f"and {len(differences) - _SHOWN:,} more")
        if options["check"]:
            self.stdout.write(
                f"{len(differences):,} counters are off." if differences else "Every counter is right."
            )
            return
        counters_rebuild(actor=command_actor(), reason=options["reason"])
        self.stdout.write(f"The counters were rebuilt; {len(differences):,} of them had been off.")
