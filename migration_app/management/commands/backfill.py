"""``manage.py backfill``: the same as ``manage.py batch start backfill``."""

from __future__ import annotations

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """An alias."""

    kind = Batch.Kind.BACKFILL
