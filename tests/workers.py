"""Workers within a test's process, which leave nothing of themselves behind."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from rq import SimpleWorker
from rq.worker import BaseWorker

from migration_app.worker import ConsoleWorker

_TAKEN_OVER = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def worker_here(queues: Any, *, connection: Any) -> Iterator[ConsoleWorker]:
    """A worker that ends with the block: its heartbeat is a thread, which would outlive the test."""
    worker = ConsoleWorker(queues, connection=connection)
    try:
        yield worker
    finally:
        worker.register_death()


def work_off(
    *queues: Any, worker_class: type[BaseWorker] = SimpleWorker, logging_level: str = "ERROR"
) -> None:
    """Do the jobs that are in the queues, in this process.

    RQ's worker takes over Ctrl-C for good, and would be asked to stop by the next one, long after it has ended.
    """
    before = signal_handlers()
    try:
        worker = worker_class(queues, connection=queues[0].connection)
        worker.work(burst=True, logging_level=logging_level)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def signal_handlers() -> dict[signal.Signals, Any]:
    """What Ctrl-C and ``kill`` do to this process."""
    return {number: signal.getsignal(number) for number in _TAKEN_OVER}
