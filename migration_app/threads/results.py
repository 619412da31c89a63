"""What a batch made of its threads, for all ways out of a batch that do not go through the engine's journal.

Those are hand-outs that need no worker, cancelled batches, snapshots from a live source, and imports that take the
work of a thread away. Each writes in the transaction that ends the thread's work. ``engine.journal`` does the same for
the rest, in its own statement.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from migration_app.models.batch_result import TROUBLE_RESULTS
from migration_app.statements import statements_of

_SQL = statements_of(__name__)


def results_put(thread_pks: Sequence[int], *, result: str = "", batch_pk: int | None = None) -> None:
    """Keep how these threads' work in their batches ended; an empty ``result``: as their status says.

    Call it after their rows were changed, in the same transaction. ``batch_pk``: leave alone what is not in this batch.
    """
    if not thread_pks:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SQL["put"],
            {
                "threads": list(thread_pks),
                "result": str(result),
                "batch": batch_pk,
                "trouble": list(TROUBLE_RESULTS),
            },
        )


def results_leave(thread_pks: Sequence[int], *, batch_pk: int) -> None:
    """A batch is about to take these threads: an earlier batch that kept nothing of one notes where it went."""
    if not thread_pks:
        return
    with connection.cursor() as cursor:
        cursor.execute(_SQL["leave"], {"threads": list(thread_pks), "batch": batch_pk})
