"""The turn's own thread for the database: what reads or writes it by itself, away from the event loop.

Entries of the protocol go through ``engine.journal.commits`` instead. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from django.db import connection

_P = ParamSpec("_P")
_T = TypeVar("_T")


def connection_close() -> None:
    """Close the connection of the thread that this is called in."""
    connection.close()


class DatabaseThread:
    """Runs plain functions one after the other in one thread, with a database connection of its own."""

    def __init__(self) -> None:
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="database")

    async def __aenter__(self) -> DatabaseThread:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.run(connection_close)
        self._executor.shutdown()

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function there, and return what it returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))
