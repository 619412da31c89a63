"""How far a batch is, by the counters; no thread is read. Must not import services.batches, which imports this."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

from migration_app.counters import tally_lines
from migration_app.models import Batch


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: threads by status, how many it took and how many are not done."""

    taken: int
    pending: int
    by_status: Mapping[str, int]

    @property
    def percent(self) -> int:
        """Share of the threads that are done; 100 for a batch that took none."""
        return 100 if not self.taken else (self.taken - self.pending) * 100 // self.taken


def batch_progress(batch: Batch) -> Progress:
    """Count the batch's threads by status. A thread that a later batch took is no longer among them."""
    lines = tally_lines(batch_pk=batch.pk)
    by_status: collections.Counter[str] = collections.Counter()
    for line in lines:
        by_status[line.status] += line.threads
    return Progress(
        taken=by_status.total(),
        pending=sum(line.threads for line in lines if line.pending_work),
        by_status=dict(by_status),
    )
