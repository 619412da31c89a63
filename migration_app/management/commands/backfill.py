"""``manage.py backfill``: copy threads into conversations and verify them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count

from migration_app.batches.kinds import batch_eligible
from migration_app.management.batches import (
    add_policy_argument,
    add_selection_arguments,
    batch_start,
    selection_from,
)
from migration_app.models import Batch, Thread
from migration_app.threads.selections import selection_threads


class Command(BaseCommand):
    """Start a backfill batch. With --wait: exit code 1 if any thread that it is about did not end verified."""

    help = (
        "Copy threads into conversations and verify them. With --wait: exit 1 unless all end verified; of --all, those "
        "count that were not at an end before (blocked, failed, in review or without a snapshot)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options, and the policies."""
        add_selection_arguments(parser, verb="backfill")
        add_policy_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the batch; with --wait, report by status."""
        pks = _judged(options) if options["wait"] else []
        batch_start(self, kind=Batch.Kind.BACKFILL, options=options)
        if not options["wait"]:
            return
        by_status = dict(
            Thread.objects.filter(pk__in=pks)
            .order_by()
            .values_list("status")
            .annotate(threads=Count("pk"))
            .values_list("status", "threads")
        )
        for status, threads in sorted(by_status.items()):
            self.stdout.write(f"{threads:>9}  {Thread.Status(status).label}")
        if set(by_status) - {Thread.Status.VERIFIED, Thread.Status.EXCLUDED}:
            self.stderr.write("Not all threads are verified: open the console's dashboard to see why.")
            sys.exit(1)


def _judged(options: dict[str, Any]) -> list[int]:
    """The threads whose end decides the exit code. They are fixed now: the batch is about to change statuses.

    Who names threads or a status wants to hear about each of them. Of --all, those that the batch leaves as they are
    would make every later call fail too; what another batch has at work still counts.
    """
    selected = selection_threads(selection_from(options))
    if options["all"]:
        selected = batch_eligible(Batch.Kind.BACKFILL, selected) | selected.exclude(pending_work="")
    return list(selected.values_list("pk", flat=True))
