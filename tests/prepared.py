"""Handing out a whole batch at once, as its worker does piece by piece."""

from __future__ import annotations

from migration_app.batches.batches import batch_finish, batch_prepare_piece
from migration_app.contracts import Actor


def batch_prepare(*, batch_pk: int, actor: Actor) -> None:
    """Hand out everything, then close the batch if that left no work."""
    while batch_prepare_piece(batch_pk=batch_pk, actor=actor):
        pass
    batch_finish(batch_pk=batch_pk, actor=actor)
