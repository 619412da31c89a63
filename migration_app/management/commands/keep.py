"""``manage.py keep``: keep conversations as they are, whose applications went on with them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from migration_app.management.batch_command import BatchCommand
from migration_app.models import Batch


class Command(BatchCommand):
    """Keep threads in review as they are."""

    help = (
        "For threads in review: keep their conversations as they are, if what was sent still stands there. What the "
        "source has beyond becomes a lossy finding. With --wait: exit 1 if any thread ends with an error."
    )
    kind = Batch.Kind.KEEP
    verb = "keep"

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the batch, if there is a reason."""
        if not options["reason"]:
            raise CommandError("Say why with --reason: it is a decision about what is left out.")
        super().handle(*args, **options)
