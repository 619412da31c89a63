"""``manage.py snapshot``: fetch threads from the live source, unchanged."""

from __future__ import annotations

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """Fetch threads from the live source."""

    help = (
        "Fetch threads from the live source, unchanged. With --wait: exit 1 if any thread ends with an error."
    )
    kind = Batch.Kind.SNAPSHOT
    verb = "snapshot"
