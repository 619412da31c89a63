"""Second starts of the same work: recognised by kind and selection, and refused by a unique column.

A confirm page says which newest batch of its kind and selection it knows. The token made of these can be spent once, so
of two tabs, or two people with the same link, one starts the batch and the other is led to it. Must not import
batches.batches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from migration_app.models import Batch

S = Batch.State
OPEN = (S.WAITING, S.PREPARING, S.RUNNING, S.PAUSED, S.CANCELLING)
"""States of a batch that is not over."""


class StartedBeforeError(Exception):
    """The same work was started after the page was opened. ``batch`` is the one that does it."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(f"batch {batch.pk} was started before")
        self.batch = batch


def selection_key(kind: str, selection: Mapping[str, Any]) -> str:
    """SHA-256 of a kind and a selection: equal for equal work, whatever the reason, the policies or the throttle."""
    plain = json.dumps([kind, selection], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def start_token(kind: str, selection: Mapping[str, Any], *, known: int) -> str:
    """What a start spends; ``known``: the newest batch of this kind and selection that its page knew, or 0."""
    return f"{selection_key(kind, selection)}:{known}"


def batches_alike(kind: str, selection: Mapping[str, Any]) -> QuerySet[Batch]:
    """Batches of this kind and selection, the newest first."""
    return Batch.objects.filter(selection_key=selection_key(kind, selection)).order_by("-pk")


def newest_alike(kind: str, selection: Mapping[str, Any]) -> int:
    """The newest of them; 0 if there is none."""
    return batches_alike(kind, selection).values_list("pk", flat=True).first() or 0
