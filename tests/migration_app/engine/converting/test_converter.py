"""Large threads are converted by a process of its own, as the others are, and its end is nobody else's."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from django.db import connection

from migration_app.engine import loading
from migration_app.engine.converting import converter
from migration_app.engine.converting.converter import Converter, ConverterEndedError
from migration_app.engine.database import DatabaseThread
from migration_app.engine.loading import Loaded, threads_load
from migration_app.engine.work import HandBackError
from migration_app.models import SnapshotPage, Thread
from migration_app.spill import is_spilled
from migration_app.threads.plans import PlanLostError, thread_plan
from tests.guards import unguarded
from tests.migration_app.engine.conftest import (
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    claim,
    message,
    start,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_SMALL", 0)
    monkeypatch.setattr(converter, "_BYTES_AT_ONCE", 2_000)


@pytest.fixture
def large(make_thread: MakeThread) -> Thread:
    """A claimed thread on several pages."""
    thread = make_thread(messages=50)
    add_page(thread, [message("thread_1", number) for number in range(40, 90)], "import-2")
    return claim(start("backfill", thread))


def converted(
    thread: Thread,
    *,
    stopping: Callable[[], bool] = lambda: False,
    meanwhile: Callable[[Converter], None] = lambda _converter: None,
) -> Loaded:
    """Load it and have it converted; ``meanwhile`` is called once the process has begun."""

    async def go() -> Loaded:
        async with DatabaseThread() as database, Converter(database, stopping) as converter:
            (loaded,) = await database.run(threads_load, [thread])
            assert loaded.is_large
            converting_it = asyncio.create_task(converter.convert(loaded))
            await asyncio.sleep(0)
            while converter._child is None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
            meanwhile(converter)
            await converting_it
            return loaded

    return asyncio.run(go())


def process_of(converter: Converter) -> psutil.Process:
    assert converter._child is not None
    return psutil.Process(converter._child._process.pid)


def test_the_plan_is_that_of_any_other_thread(large: Thread) -> None:
    loaded = converted(large)
    assert loaded.trouble is None
    assert loaded.plan is not None
    assert is_spilled(loaded.plan.plan.items)
    expected = thread_plan(large)
    assert list(loaded.plan.plan.items) == list(expected.plan.items)
    assert list(loaded.plan.plan.findings) == list(expected.plan.findings)
    assert loaded.plan.plan.metadata == expected.plan.metadata
    assert list(loaded.plan.source.messages) == list(expected.source.messages)
    assert loaded.plan.policies == expected.policies


def test_what_the_console_knows_of_files_comes_in(large: Thread) -> None:
    cited = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file-tides"}}
    part = {"type": "text", "text": {"value": "High water [1]", "annotations": [cited]}}
    add_page(large, [message("thread_1", 91, content=[part])], "import-3")
    expected = thread_plan(large)
    loaded = converted(large)
    assert loaded.plan is not None
    assert list(loaded.plan.plan.items) == list(expected.plan.items)
    assert list(loaded.plan.plan.findings) == list(expected.plan.findings)


def test_a_large_thread_is_backfilled_like_any_other(large: Thread, sandbox: RunningSandbox) -> None:
    backfilled(large)
    large.refresh_from_db()
    assert large.status == "verified"
    assert_conversation_holds_exactly_the_thread(large, sandbox)


def test_a_damaged_page_is_the_thread_s_own_trouble_and_the_next_thread_is_converted(
    large: Thread, make_thread: MakeThread
) -> None:
    other = make_thread("thread_2", messages=30)
    other = claim(start("backfill", other))
    with unguarded(SnapshotPage):
        SnapshotPage.objects.filter(thread=large, sequence=0).update(payload=b"no page")

    async def go() -> list[Loaded]:
        async with DatabaseThread() as database, Converter(database, lambda: False) as converter:
            both = await database.run(threads_load, [large, other])
            for loaded in both:
                await converter.convert(loaded)
            return both

    damaged, whole = asyncio.run(go())
    assert damaged.plan is None
    assert type(damaged.trouble).__name__ == "SequenceDamagedError"
    assert whole.plan is not None
    assert len(whole.plan.plan.items) == 30


def test_a_plan_that_cannot_be_made_any_more_is_lost(large: Thread) -> None:
    async def go() -> Loaded:
        async with DatabaseThread() as database, Converter(database, lambda: False) as converter:
            (loaded,) = await database.run(threads_load, [large])
            large.conversation = loaded.conversation = converting_conversation()
            await converter.convert(loaded)
            return loaded

    def converting_conversation() -> Any:
        from migration_app.models import Conversation  # noqa: PLC0415

        return Conversation(thread=large, replacements=[{"position": 500, "level": 0}])

    assert isinstance(asyncio.run(go()).trouble, PlanLostError)


def test_a_process_that_is_killed_leaves_the_thread_to_be_tried_again(large: Thread) -> None:
    def kill(converter: Converter) -> None:
        process_of(converter).kill()

    with pytest.raises(ConverterEndedError, match="signal 9"):
        converted(large, meanwhile=kill)
    assert converted(large).plan is not None


def test_a_stop_is_heard_while_a_thread_is_converted(large: Thread) -> None:
    stopped: list[psutil.Process] = []

    def stop(converter: Converter) -> None:
        process_of(converter).suspend()
        stopped.append(process_of(converter))

    with pytest.raises(HandBackError):
        converted(large, meanwhile=stop, stopping=lambda: bool(stopped))
    assert not stopped[0].is_running()


def test_the_process_has_no_key_no_connection_and_no_signal_ends_it(
    large: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    connection.ensure_connection()
    seen: dict[str, Any] = {}

    def look(converter: Converter) -> None:
        process = process_of(converter)
        while "OPENAI_API_KEY" in (environ := process.environ()):  # until it is no more a copy of this one
            pass
        seen["environ"] = environ
        seen["internet"] = process.net_connections("inet")

    assert converted(large, meanwhile=look).plan is not None
    assert "sk-secret" not in str(seen["environ"])
    assert "DATABASE_URL" not in seen["environ"]
    assert seen["internet"] == []


def test_it_ends_with_its_worker_however_that_ends() -> None:
    child = converter._Child()
    process = psutil.Process(child._process.pid)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert child._process.stdin is not None
    child._process.stdin.close()  # as the system does for a worker that is killed
    child._process.wait()
    child.end()


def test_a_large_thread_is_only_marked_when_it_is_loaded(large: Thread) -> None:
    (loaded,) = threads_load([large])
    assert (loaded.is_large, loaded.plan, loaded.pages) == (True, None, None)
    assert dataclasses.asdict(loaded)["trouble"] is None
    assert os.getpid()
