"""Batches handed out at once, as their worker does piece by piece; and a worker's turn."""

from __future__ import annotations

import threading
import time

from migration_app.batches.batches import batch_finish, batch_prepare_piece
from migration_app.contracts import Actor
from migration_app.tasks.turns import Turn


def batch_prepare(*, batch_pk: int, actor: Actor) -> None:
    """Hand out everything, then close the batch if that left no work."""
    while batch_prepare_piece(batch_pk=batch_pk, actor=actor):
        pass
    batch_finish(batch_pk=batch_pk, actor=actor)


def turn_of(actor: Actor, *, seconds: float = 60.0, stop: threading.Event | None = None) -> Turn:
    """A turn at a task outside the queue: nothing urgent waits, and nothing is enqueued."""
    return Turn(
        actor=actor,
        stop=stop or threading.Event(),
        ends_at=time.monotonic() + seconds,
        urgent_waits=lambda: False,
        enqueue=lambda _pk: None,
    )
