"""``manage.py backfill``: copy threads into conversations and verify them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count

from migration_app.management.batches import (
    add_policy_argument,
    add_selection_arguments,
    batch_start,
    selection_from,
)
from migration_app.models import Batch, Thread
from migration_app.services.selections import selection_threads


class Command(BaseCommand):
    """Start a backfill batch. With --wait: exit code 1 if any selected thread did not end verified."""

    help = "Copy threads into conversations and verify them. With --wait: exit 1 unless all end verified."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options, and the policies."""
        add_selection_arguments(parser, verb="backfill")
        add_policy_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Start the batch; with --wait, report by status."""
        # What was selected is fixed now: --status names statuses that the batch is about to change.
        pks = (
            list(selection_threads(selection_from(options)).values_list("pk", flat=True))
            if options["wait"]
            else []
        )
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
