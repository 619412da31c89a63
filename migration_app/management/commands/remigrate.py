"""``manage.py remigrate``: the same as ``manage.py batch start remigrate``."""

from __future__ import annotations

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """An alias."""

    kind = Batch.Kind.REMIGRATE
