"""A server that speaks bytes, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from tests.migration_app.conftest import Run
from tests.migration_app.gateways.peers import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def connection(server: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> Iterator[Connection]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server.address}/v1")
    made = target_connection(timeout_seconds=0.3)
    yield made
    run(made.close())
