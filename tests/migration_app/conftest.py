"""The sandbox as both APIs, and connections to it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol, TypeVar

import django_rq
import pytest

from migration_app.engine import behaviour
from migration_app.gateways.configured import source_connection, target_connection
from migration_app.gateways.connection import Connection
from tests.sandbox import RunningSandbox

_Result = TypeVar("_Result")


class Run(Protocol):
    """What the fixture ``run`` gives."""

    def __call__(self, coro: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the coroutine's result."""


@pytest.fixture
def run() -> Iterator[Run]:
    """Run coroutines of one test in one event loop, in which its connections live: ``run(call(target))``."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def queue(sandbox: RunningSandbox) -> Iterator[Any]:
    """The default queue, empty before and after the test; its jobs speak to the sandbox."""
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


@pytest.fixture
def target(sandbox: RunningSandbox, run: Run) -> Iterator[Connection]:
    connection = target_connection(timeout_seconds=5)
    yield connection
    run(connection.close())


@pytest.fixture
def source(sandbox: RunningSandbox, run: Run) -> Iterator[Connection]:
    connection = source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5)
    yield connection
    run(connection.close())


@pytest.fixture(autouse=True)
def reads_close_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two reads that agree need not be apart: what a list that lags does to them has tests of its own."""
    monkeypatch.setattr(behaviour, "_LEAST_PAUSE", 0.0)
