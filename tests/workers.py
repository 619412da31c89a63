"""A worker of the console within a test's process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from migration_app.worker import ConsoleWorker


@contextlib.contextmanager
def worker_here(queues: Any, *, connection: Any) -> Iterator[ConsoleWorker]:
    """A worker that ends with the block: its heartbeat is a thread, which would outlive the test."""
    worker = ConsoleWorker(queues, connection=connection)
    try:
        yield worker
    finally:
        worker.register_death()
