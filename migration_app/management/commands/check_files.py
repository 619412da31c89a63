"""``manage.py check_files``: ask the target whether files and vector stores are still there."""

from __future__ import annotations

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """Ask the target whether files and vector stores that threads need are still there."""

    help = (
        "Ask the target whether the files and vector stores that threads need are still there. "
        "With --wait: exit 1 if any thread ends with an error."
    )
    kind = Batch.Kind.RESOURCES
    verb = "check"
