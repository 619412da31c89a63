"""``manage.py verify``: read conversations back and compare them."""

from __future__ import annotations

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """Read conversations back and compare them."""

    help = (
        "Read conversations back and compare them with their snapshots. "
        "With --wait: exit 1 if any thread ends with an error."
    )
    kind = Batch.Kind.VERIFY
    verb = "verify"
