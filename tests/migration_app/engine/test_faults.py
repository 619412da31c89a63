"""Faults of the world around the engine, with a window of threads in flight: the estate comes through whole.

Every k-th request is hit, so which request that is depends on nothing but their number; kills of processes and
servers are in tests/end_to_end.
"""

from __future__ import annotations

import datetime as dt
import errno
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from migration_app import spill
from migration_app.batches.claims import threads_claimable
from migration_app.engine import loading, runner, stock
from migration_app.engine.runner import batch_work
from migration_app.engine.steps.protocol import thread_backfill
from migration_app.engine.work import Work
from migration_app.gateways import connection as gateway
from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.limits.limits import Limiter
from migration_app.models import AuditEvent, Batch, OrphanConversation, SnapshotPage, Thread
from migration_app.snapshots import pages
from migration_app.spill import TemporarySpaceError
from migration_app.tasks.connections import Connections
from migration_app.threads.assessments import thread_assess
from tests.chaos.invariants import estate_troubles, unheld_conversations
from tests.migration_app.engine.conftest import ACTOR, add_page, message, objects_of, start
from tests.prepared import turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
S = Thread.Status
WINDOW = 16
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
MOST_TURNS = 60
"""Each turn brings a thread one try further; no fault below hits one thread so often."""


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Tries do not wait, and neither tries nor the breaker end what is to be seen to its end."""
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(runner, "_IDLE_POLL", 0.01)
    monkeypatch.setattr(gateway, "_READ_PAUSES", (0.01, 0.01))
    settings.MAX_ATTEMPTS = 100
    settings.BREAKER_FAILURES = 1000


@pytest.fixture
def estate(make_thread: Callable[..., Thread]) -> list[Thread]:
    """Twenty threads of one to three chunks."""
    return [make_thread(f"thread_{number:02}", messages=1 + 9 * (number % 6)) for number in range(20)]


def assert_estate_is_whole(
    sandbox: RunningSandbox, threads: Sequence[Thread], *, status: str | None = S.VERIFIED
) -> None:
    sandbox.control.clear_faults()
    assert estate_troubles(sandbox.control, threads, status=status) == []


def see_through(batch: Batch, *, timeout: float = 5.0, limiter: Callable[[], Limiter] | None = None) -> None:
    """Take turns at the batch until it is over; what waits for later is due at once."""
    Batch.objects.filter(pk=batch.pk).update(window=WINDOW)
    for _ in range(MOST_TURNS):
        if not turn(batch, timeout=timeout, limiter=limiter() if limiter else None):
            return
        Thread.objects.exclude(not_before=None).update(not_before=LONG_AGO)
    pytest.fail(f"the batch was not over after {MOST_TURNS} turns")


def turn(batch: Batch, *, timeout: float = 5.0, limiter: Limiter | None = None) -> bool:
    def connect() -> Connection:
        return target_connection(timeout_seconds=timeout, limiter=limiter)

    connections = Connections(source=connect, target=connect, limiter=limiter)
    return batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR))


@pytest.mark.parametrize("kind", ["reset_after", "error_500_after", "garbage"])
@pytest.mark.parametrize("every", [2, 3])
def test_answers_to_appends_lost_after_the_server_acted_cost_no_item_and_double_none(
    estate: list[Thread], sandbox: RunningSandbox, kind: str, every: int
) -> None:
    sandbox.control.add_fault(kind, "POST .*/items", every=every)
    see_through(start("backfill", *estate))
    assert_estate_is_whole(sandbox, estate)
    assert not OrphanConversation.objects.exists()
    assert sandbox.control.state().conversations == len(estate)


@pytest.mark.parametrize("kind", ["reset_after", "error_500_after", "garbage"])
def test_each_create_whose_answer_was_lost_is_one_empty_conversation_and_one_line_of_the_ledger(
    estate: list[Thread], sandbox: RunningSandbox, kind: str
) -> None:
    sandbox.control.add_fault(kind, "POST /conversations$", every=3)
    see_through(start("backfill", *estate))
    assert_estate_is_whole(sandbox, estate)
    assert OrphanConversation.objects.count() == unheld_conversations(sandbox.control) == 9


def test_every_fault_at_once_ends_whole(estate: list[Thread], sandbox: RunningSandbox) -> None:
    sandbox.control.add_faults(
        "reset_after:POST:every=7;error_500_after:POST:every=5;garbage:every=11;error_500:every=6;"
        "reset_before:every=13;conversation_locked:POST .*/items:every=9;rate_limit:every=8:retry_after=0.1;"
        "error_503:GET:every=4"
    )
    see_through(start("backfill", *estate))
    assert_estate_is_whole(sandbox, estate)
    assert OrphanConversation.objects.exists()


def test_sockets_that_hang_and_bodies_that_drip_end_whole(
    estate: list[Thread], sandbox: RunningSandbox
) -> None:
    """A hanging create did nothing, which nobody can know: its line of the ledger has no conversation behind it."""
    sandbox.control.add_faults("hang:POST:every=12;slow_body:every=17:seconds=30;hang:GET:every=19")
    see_through(start("backfill", *estate), timeout=0.5)
    assert_estate_is_whole(sandbox, estate)
    assert OrphanConversation.objects.count() >= unheld_conversations(sandbox.control)


def test_a_storm_of_refusals_is_waited_out_by_the_limiter_and_costs_no_try(
    estate: list[Thread], sandbox: RunningSandbox, settings: Any
) -> None:
    sandbox.control.add_fault("rate_limit", "", every=2, times=5, retry_after=0.05)

    def limiter() -> Limiter:
        return Limiter(redis_url=settings.RQ_QUEUES["default"]["URL"], target=sandbox.base_url)

    see_through(start("backfill", *estate), limiter=limiter)
    assert_estate_is_whole(sandbox, estate)
    assert not AuditEvent.objects.filter(verb="thread.try_later").exists()
    assert not OrphanConversation.objects.exists()


def test_a_storm_of_refusals_without_a_limiter_ends_whole_and_doubts_nothing(
    estate: list[Thread], sandbox: RunningSandbox, settings: Any
) -> None:
    settings.MAX_ATTEMPTS = 2
    sandbox.control.add_fault("rate_limit", "POST ", every=2, retry_after=0.01)
    see_through(start("backfill", *estate))
    assert_estate_is_whole(sandbox, estate)
    assert not OrphanConversation.objects.exists()
    assert sandbox.control.state().conversations == len(estate)


def test_tries_that_are_used_up_in_the_middle_leave_a_truthful_thread_and_retry_completes_it(
    estate: list[Thread], sandbox: RunningSandbox, settings: Any
) -> None:
    settings.MAX_ATTEMPTS = 2
    sandbox.control.add_fault("reset_after", "POST .*/items", after=4)
    sandbox.control.add_fault("error_503", "GET ")
    see_through(start("backfill", *estate))
    statuses = set(Thread.objects.values_list("status", flat=True))
    assert S.FAILED in statuses
    assert statuses <= {S.FAILED, S.BACKFILLED, S.VERIFIED}
    assert_estate_is_whole(sandbox, estate, status=None)
    settings.MAX_ATTEMPTS = 100
    see_through(start("retry", *Thread.objects.filter(status=S.FAILED)))
    see_through(start("verify", *Thread.objects.filter(status=S.BACKFILLED)))
    assert_estate_is_whole(sandbox, estate)


def full(*_args: Any, **_options: Any) -> Any:
    raise TemporarySpaceError(errno.ENOSPC, "no room in /tmp: make room there")


def test_a_full_temporary_directory_delays_the_large_thread_alone_and_says_why(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [make_thread("thread_large", messages=300), *(make_thread(f"thread_{n}") for n in range(3))]
    batch = start("backfill", *threads)
    with monkeypatch.context() as patched:
        patched.setattr(spill, "MAX_BYTES_IN_MEMORY", 20_000)
        patched.setattr(spill, "_temporary_file", full)
        assert turn(batch) is True
    large, *others = threads
    large.refresh_from_db()
    assert (large.status, large.error_code, large.attempts) == (S.QUEUED, "no_temporary_space", 1)
    assert large.error_text == "no room in /tmp: make room there"
    assert_estate_is_whole(sandbox, others)
    see_through(batch)
    assert_estate_is_whole(sandbox, threads)


def test_a_temporary_directory_that_stays_full_fails_the_thread_with_a_word_what_to_do(
    make_thread: Callable[..., Thread],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.MAX_ATTEMPTS = 2
    thread = make_thread(messages=300)
    with monkeypatch.context() as patched:
        patched.setattr(spill, "MAX_BYTES_IN_MEMORY", 20_000)
        patched.setattr(spill, "_temporary_file", full)
        see_through(start("backfill", thread))
    assert_estate_is_whole(sandbox, [thread], status=S.FAILED)
    thread.refresh_from_db()
    assert "make room there" in thread.error_text


def test_a_thread_larger_than_memory_comes_through_lost_answers_whole(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three thousand messages: files instead of memory, and what looks at all of them is done off the loop."""
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 1 << 16)
    monkeypatch.setattr(pages, "MAX_BYTES_IN_MEMORY", 1 << 16)
    monkeypatch.setattr(loading, "_SMALL", 1 << 16)
    thread = Thread.objects.create(thread_id="thread_long")
    add_page(thread, objects_of("thread_long", 3_000))
    thread_assess(thread=thread, actor=ACTOR)
    sandbox.control.add_fault("reset_after", "POST .*/items", after=40, every=50)
    see_through(start("backfill", thread))
    assert_estate_is_whole(sandbox, [thread])
    thread.refresh_from_db()
    assert thread.item_count == 3_000


def test_large_threads_are_taken_by_what_they_weigh_and_the_rest_is_handed_back(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [make_thread(f"thread_{number}", messages=20) for number in range(8)]
    batch = start("backfill", *threads)
    weights = set(SnapshotPage.objects.values_list("raw_bytes", flat=True))
    assert len(weights) == 1
    monkeypatch.setattr(stock, "_LOADED_BYTES", 2 * weights.pop())
    at_once, most = 0, 0

    async def counting(work: Work) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            await thread_backfill(work)
        finally:
            at_once -= 1

    monkeypatch.setitem(runner._STEPS, "backfill", counting)
    see_through(batch)
    assert_estate_is_whole(sandbox, threads)
    assert most == 2


def test_a_thread_that_takes_longer_to_load_than_its_lease_is_not_taken_by_another(
    make_thread: Callable[..., Thread],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.LEASE_SECONDS = 2
    threads = [make_thread(f"thread_{number}") for number in range(3)]
    batch = start("backfill", *threads)
    free: list[int] = []

    def slow(claimed: Sequence[Thread], *, room: int | None = None) -> list[loading.Loaded]:
        time.sleep(3.0)
        free.append(threads_claimable(batch.pk).count())
        return loading.threads_load(claimed, room=room)

    monkeypatch.setattr(stock, "threads_load", slow)
    see_through(batch)
    assert set(free) == {0}
    assert_estate_is_whole(sandbox, threads)


def test_an_item_that_is_refused_in_a_thread_that_names_files_is_replaced(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning anew looks the files up: in a thread of the database's, for the event loop may not."""
    image = {"type": "image_file", "image_file": {"file_id": "file-a", "detail": "auto"}}
    thread = Thread.objects.create(thread_id="thread_1")
    add_page(thread, [*objects_of("thread_1", 1), message("thread_1", 2, content=[image])])
    thread_assess(thread=thread, actor=ACTOR)
    post = Connection.post

    async def refusing(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
        if isinstance(body, bytes) and b"file-a" in body:
            raise GatewayError("invalid_item", "No.", outcome=Outcome.NOTHING, permanent=True, status=400)
        return await post(self, path, body, items=items)

    monkeypatch.setattr(Connection, "post", refusing)
    see_through(start("backfill", thread))
    assert_estate_is_whole(sandbox, [thread])
    thread.refresh_from_db()
    assert thread.conversation.replacements != []
