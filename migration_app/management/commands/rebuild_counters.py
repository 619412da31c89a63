"""``manage.py rebuild_counters``: count the threads again, where a reconciliation found the counters to be off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.counters import tallies_differences, tallies_rebuild

_SHOWN = 20


class Command(BaseCommand):
    """Rebuild the counters of lists and dashboard."""

    help = (
        "Count all threads again, for the figures of lists and dashboard. It reads every thread, and whoever changes "
        "threads waits for as long: seconds for a million. Threads themselves are not changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --reason and --check."""
        parser.add_argument("--reason", default="manage.py rebuild_counters", help="why, for the audit trail")
        parser.add_argument("--check", action="store_true", help="only say which counters are off")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say what is off, then rebuild."""
        differences = tallies_differences()
        for words in differences[:_SHOWN]:
            self.stdout.write(words)
        if len(differences) > _SHOWN:
            self.stdout.write(f"and {len(differences) - _SHOWN:,} more")
        if options["check"]:
            self.stdout.write(
                f"{len(differences):,} counters are off." if differences else "Every counter is right."
            )
            return
        tallies_rebuild(actor=command_actor(), reason=options["reason"])
        self.stdout.write(f"The counters were rebuilt; {len(differences):,} of them had been off.")
