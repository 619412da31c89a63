from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now

from migration_app.batches.claims import threads_claim
from migration_app.batches.control import batch_pause, batch_resume
from migration_app.batches.rates import Done, batch_beat, batch_rate
from migration_app.engine import loading, runner, stock, supervision
from migration_app.engine.converting.converter import Converter
from migration_app.engine.loading import Loaded
from migration_app.engine.runner import BugsMetError, batch_work
from migration_app.engine.steps.protocol import thread_backfill
from migration_app.engine.work import Work
from migration_app.gateways.configured import source_connection, target_connection
from migration_app.gateways.connection import Connection
from migration_app.models import (
    AuditEvent,
    Batch,
    BatchMinute,
    BatchResult,
    Conversation,
    SnapshotPage,
    Thread,
)
from migration_app.tasks.connections import Connections
from migration_app.threads.plans import thread_plan
from tests.migration_app.engine.conftest import (
    ACTOR,
    assert_conversation_holds_exactly_the_thread,
    expire_leases,
    message,
    objects_of,
    start,
)
from tests.prepared import turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
S = Thread.Status


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(runner, "_IDLE_POLL", 0.0)
    settings.MAX_ATTEMPTS = 3


@pytest.fixture
def work(sandbox: RunningSandbox) -> Callable[[Batch], bool]:
    """Take a turn at a batch; what waits for later is due at once."""

    def turn(batch: Batch) -> bool:
        Thread.objects.exclude(not_before=None).update(not_before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        connections = Connections(
            source=lambda: source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5),
            target=lambda: target_connection(timeout_seconds=5),
        )
        return batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR))

    return turn


def test_a_turn_works_through_the_whole_batch_and_closes_it(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    threads = [make_thread(f"thread_{number}", messages=number) for number in range(5)]
    batch = start("backfill", *threads)
    assert work(batch) is False
    batch.refresh_from_db()
    assert batch.state == "finished"
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_turn_adds_what_it_did_to_its_batch_and_to_the_minute(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    threads = [make_thread(f"thread_{number}", messages=5) for number in range(3)]
    batch = start("backfill", *threads)
    sandbox.control.add_fault("error_503", "POST .*/items", times=1)
    assert work(batch) is True
    assert work(batch) is False
    batch.refresh_from_db()
    assert batch.call_count == len(sandbox.control.requests())
    assert (batch.retry_count, batch.throttled_count) == (1, 0)
    assert batch.heartbeat_at is not None
    rows = BatchMinute.objects.filter(batch=batch).values_list("threads", "messages", "calls", "retries")
    assert [sum(values) for values in zip(*rows, strict=True)] == [3, 15, batch.call_count, 1]
    rate = batch_rate(batch)
    assert rate is None or rate.threads > 0
    assert dict(BatchResult.objects.values_list("result", "messages")) == {"verified": 5}


def test_a_long_turn_says_what_it_did_before_it_ends(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Done] = []

    def beat(batch_pk: int, done: Done) -> None:
        seen.append(done)
        batch_beat(batch_pk, done)

    monkeypatch.setattr(supervision, "_BEAT_SECONDS", 0.0)
    monkeypatch.setattr(supervision, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(supervision, "batch_beat", beat)
    sandbox.control.add_fault("latency", "POST /conversations$", seconds=0.5)
    batch = start("backfill", make_thread())
    work(batch)
    assert len(seen) > 1
    assert sum(done.threads for done in seen) == 1
    batch.refresh_from_db()
    assert sum(done.calls for done in seen) == batch.call_count == len(sandbox.control.requests())


def test_a_passing_error_is_tried_later_and_then_succeeds(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    sandbox.control.add_fault("error_503", "POST .*/items", times=1)
    assert work(batch) is True
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.attempts) == (S.QUEUED, "server_error", 1)
    assert thread.not_before is not None
    assert work(batch) is False
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.VERIFIED, "")


def test_the_last_try_ends_as_failed_with_a_reason_for_operators(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    sandbox.control.add_fault("error_500", "POST ")
    for _ in range(3):
        work(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (S.FAILED, "server_error", "")
    assert "The server failed (500)" in thread.error_text


def test_a_permanent_error_fails_at_once(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    sandbox.control.add_fault("unauthorized", "POST ", status=422)
    work(start("backfill", thread))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.FAILED, "invalid_api_key")
    assert AuditEvent.objects.filter(verb="thread.failed", subject_id="thread_1").exists()


def test_rate_limits_never_use_up_a_threads_tries_and_retry_after_is_kept(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    sandbox.control.add_fault("rate_limit", "POST ", times=6, retry_after=60)
    for _ in range(6):
        assert work(batch) is True
    thread.refresh_from_db()
    assert (thread.status, thread.attempts) == (S.QUEUED, 0)
    event = AuditEvent.objects.filter(verb="thread.try_later").latest("pk")
    assert "60 s" in event.reason
    work(batch)
    thread.refresh_from_db()
    assert thread.status == S.VERIFIED


def test_one_bad_thread_never_costs_the_batch(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    threads = [make_thread(f"thread_{number}") for number in range(3)]
    text = "a user's private words"

    async def broken(work: Work) -> None:
        if work.thread.thread_id == "thread_1":
            raise ValueError(text)  # a traceback shows this line, but must not show its value
        await thread_backfill(work)

    monkeypatch.setitem(runner._STEPS, "backfill", broken)
    with pytest.raises(BugsMetError):
        work(start("backfill", *threads))
    statuses = dict(Thread.objects.values_list("thread_id", "status"))
    assert statuses == {"thread_0": S.VERIFIED, "thread_1": S.FAILED, "thread_2": S.VERIFIED}
    assert Thread.objects.get(thread_id="thread_1").error_code == "internal_error"
    assert "private words" not in caplog.text


def test_a_verified_thread_stays_verified_when_the_target_does_not_answer_a_verify(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    work(start("backfill", thread))
    sandbox.control.add_fault("unauthorized", "GET ")
    batch = start("verify", thread)
    for _ in range(3):
        work(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work, thread.error_code) == (S.VERIFIED, "", "unauthorized")


def test_a_snapshot_reads_the_thread_from_the_source_and_grades_it(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    sandbox.control.seed(objects_of("thread_live", 130))
    thread = Thread.objects.create(thread_id="thread_live")
    work(start("snapshot", thread))
    thread.refresh_from_db()
    assert (thread.status, thread.message_count, thread.fidelity) == (S.SNAPSHOTTED, 130, "exact")
    assert (thread.pending_work, thread.lease_token) == ("", None)
    assert SnapshotPage.objects.filter(thread=thread, kind="live").exists()


def test_a_snapshot_taken_again_of_an_unchanged_thread_stores_nothing_new(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    sandbox.control.seed(objects_of("thread_live", 3))
    thread = Thread.objects.create(thread_id="thread_live")
    work(start("snapshot", thread))
    pages = SnapshotPage.objects.count()
    work(start("snapshot", thread))
    assert SnapshotPage.objects.count() == pages


def test_a_thread_that_the_source_does_not_have_is_source_missing_and_not_failed(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = Thread.objects.create(thread_id="thread_gone")
    work(start("snapshot", thread))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.SOURCE_MISSING, "not_found")


def test_a_source_that_fails_leaves_the_thread_failed_and_retry_fetches_it(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    sandbox.control.seed(objects_of("thread_live", 2))
    sandbox.control.add_fault("unauthorized", "GET ")
    thread = Thread.objects.create(thread_id="thread_live")
    batch = start("snapshot", thread)
    for _ in range(3):
        work(batch)
    thread.refresh_from_db()
    assert thread.status == S.FAILED
    sandbox.control.clear_faults()
    work(start("retry", thread))
    thread.refresh_from_db()
    assert thread.status == S.SNAPSHOTTED


def test_a_backfilled_thread_from_a_live_source_goes_all_the_way(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    sandbox.control.seed(objects_of("thread_live", 25))
    thread = Thread.objects.create(thread_id="thread_live")
    work(start("snapshot", thread))
    work(start("backfill", thread))
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert thread.status == S.VERIFIED


def test_a_snapshot_brings_the_assistants_and_files_that_the_thread_names(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    citation: dict[str, Any] = {"type": "file_citation", "text": "【1】", "start_index": 4, "end_index": 7}
    citation["file_citation"] = {"file_id": "file-a"}
    cited = {"type": "text", "text": {"value": "See 【1】", "annotations": [citation]}}
    answer = message("thread_live", 1, content=[cited], assistant_id="asst_1", run_id="run_1")
    file = {
        "id": "file-a",
        "object": "file",
        "created_at": 1,
        "filename": "care.pdf",
        "purpose": "assistants",
    }
    assistant = {"id": "asst_1", "object": "assistant", "created_at": 1, "name": "Desk", "model": "gpt-4o"}
    sandbox.control.seed([*objects_of("thread_live", 1), answer, file, assistant])
    thread = Thread.objects.create(thread_id="thread_live")
    work(start("snapshot", thread))
    thread.refresh_from_db()
    assert thread.assistant is not None
    assert (thread.assistant.name, thread.assistant.status) == ("Desk", "snapshotted")
    assert "care.pdf" in str(thread_plan(thread).plan.items[1].item)


def test_a_snapshot_of_a_thread_whose_assistant_is_gone_succeeds_without_it(
    work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    sandbox.control.seed([*objects_of("thread_live", 1), message("thread_live", 1, assistant_id="asst_gone")])
    thread = Thread.objects.create(thread_id="thread_live")
    work(start("snapshot", thread))
    thread.refresh_from_db()
    assert thread.status == S.SNAPSHOTTED
    assert thread.assistant is not None
    assert thread.assistant.status == "registered"


def test_a_lasting_refusal_is_given_up_after_a_few_tries_with_its_reason(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    sandbox.control.add_fault("unauthorized", "POST ")
    assert work(batch) is True
    for _ in range(2):
        work(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.FAILED, "unauthorized")


class Redirecting(BaseHTTPRequestHandler):
    """Sends everybody to another place."""

    def do_POST(self) -> None:
        self.send_response(307)
        self.send_header("Location", "https://elsewhere.example/v1/conversations")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_a_redirecting_base_url_pauses_the_batch_and_fails_no_thread(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(12)]
    batch = start("backfill", *threads)
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        assert work(batch) is True
        server.shutdown()
    batch.refresh_from_db()
    assert (batch.state, "redirected" in batch.held_text) == ("paused", True)
    assert "Set the base URL" in batch.held_text
    assert set(Thread.objects.values_list("status", "lease_token")) == {(S.QUEUED, None)}


def test_a_base_url_without_conversations_pauses_the_batch_and_fails_no_thread(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(12)]
    batch = start("backfill", *threads)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{sandbox.base_url}/v1")
    assert work(batch) is True
    batch.refresh_from_db()
    assert (batch.state, "create_unknown" in batch.held_text) == ("paused", True)
    assert set(Thread.objects.values_list("status", "lease_token")) == {(S.QUEUED, None)}


def test_a_wrong_key_pauses_the_batch_and_fails_no_thread(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(12)]
    batch = start("backfill", *threads)
    sandbox.control.add_fault("unauthorized", "POST ")
    assert work(batch) is True
    batch.refresh_from_db()
    assert batch.state == "paused"
    assert "unauthorized" in batch.held_text
    assert "Check the API key" in batch.held_text
    assert set(Thread.objects.values_list("status", "lease_token")) == {(S.QUEUED, None)}
    assert AuditEvent.objects.filter(subject_kind="batch", reason__contains="unauthorized").exists()


def test_a_batch_that_the_breaker_paused_completes_when_it_is_resumed(
    make_thread: Callable[..., Thread], work: Callable[[Batch], bool], sandbox: RunningSandbox
) -> None:
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(8)]
    batch = start("backfill", *threads)
    sandbox.control.add_fault("unauthorized", "POST ")
    work(batch)
    sandbox.control.clear_faults()
    batch_resume(batch_pk=batch.pk, actor=ACTOR, reason="The key is right now.")
    assert work(batch) is False
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_an_outage_shorter_than_the_breakers_patience_costs_no_thread(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_PROBE_SECONDS", 0.01)
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(8)]
    batch = start("backfill", *threads)
    sandbox.control.add_fault("error_503", "POST ", times=9)
    for _ in range(20):
        if not work(batch):
            break
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
        assert thread.status == S.VERIFIED


def test_a_worker_that_is_stopped_hands_its_threads_back_after_the_chunk_at_hand(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = make_thread(messages=100)
    batch = start("backfill", thread)
    stop = threading.Event()
    post = Connection.post

    async def stopping_after_two_chunks(self: Connection, path: str, *args: Any, **options: Any) -> Any:
        answer = await post(self, path, *args, **options)
        if len(sandbox_chunks(sandbox)) == 2:
            stop.set()
            await asyncio.sleep(0.3)  # longer than a turn takes to hear of it
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "post", stopping_after_two_chunks)
        assert turn(batch, sandbox, stop) is True
    thread.refresh_from_db()
    assert (thread.status, thread.lease_token, thread.attempts) == (S.QUEUED, None, 0)
    assert list(thread.conversation.chunks.values_list("state", flat=True)) == ["appended", "appended"]
    assert AuditEvent.objects.filter(verb="thread.handed_back").count() == 1
    assert turn(batch, sandbox) is False
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_paused_batch_is_left_after_the_chunk_at_hand(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_CHECK_SECONDS", 0.0)
    thread = make_thread(messages=100)
    batch = start("backfill", thread)
    post = Connection.post

    async def pausing(self: Connection, path: str, *args: Any, **options: Any) -> Any:
        answer = await post(self, path, *args, **options)
        if len(sandbox_chunks(sandbox)) == 1:
            await asyncio.to_thread(pause, batch)
            await asyncio.sleep(0.5)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "post", pausing)
        assert turn(batch, sandbox) is True
    thread.refresh_from_db()
    assert (thread.status, thread.conversation.chunks.count()) == (S.QUEUED, 1)


def pause(batch: Batch) -> None:
    batch_pause(batch_pk=batch.pk, actor=ACTOR, reason="a test")
    connection.close()


def sandbox_chunks(sandbox: RunningSandbox) -> list[Any]:
    """Appends that the sandbox answered so far."""
    return [seen for seen in sandbox.control.requests() if seen.method == "POST" and "/items" in seen.path]


def turn(batch: Batch, sandbox: RunningSandbox, stop: threading.Event | None = None) -> bool:
    connections = Connections(
        source=lambda: source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5),
        target=lambda: target_connection(timeout_seconds=5),
    )
    return batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR, stop=stop))


def test_no_more_calls_are_under_way_or_announced_than_the_window_allows(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More threads are in hand than that; a worker that is killed leaves no more creates in doubt."""
    batch = start("backfill", *(make_thread(f"thread_{number}", messages=1) for number in range(12)))
    Batch.objects.update(window=3)
    send, backfill = Connection._send, thread_backfill
    calls, announced, in_hand = Most(), Most(), Most()

    async def counting_calls(self: Connection, *arguments: Any) -> Any:
        with calls.one_more():
            creating = Conversation.objects.filter(state="creating")
            announced.see(await asyncio.to_thread(in_own_thread, creating.count))
            return await send(self, *arguments)

    async def counting_threads(work: Work) -> None:
        with in_hand.one_more():
            await backfill(work)

    monkeypatch.setattr(Connection, "_send", counting_calls)
    monkeypatch.setitem(runner._STEPS, "backfill", counting_threads)
    turn(batch, sandbox)
    assert calls.most == 3
    assert announced.most <= 3
    assert 3 < in_hand.most <= 6
    assert set(Thread.objects.values_list("status", flat=True)) == {S.VERIFIED}


def in_own_thread(ask: Callable[[], int]) -> int:
    """Ask the database from a thread that ends with it."""
    try:
        return ask()
    finally:
        connection.close()


class Most:
    """The most of something at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def see(self, count: int) -> None:
        """Hear how many there are."""
        self.most = max(self.most, count)

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """One more as long as the block lasts."""
        self.now += 1
        self.see(self.now)
        try:
            yield
        finally:
            self.now -= 1


def test_two_workers_that_are_given_one_thread_by_force_leave_it_whole(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is only slow; its lease was taken from it. It notices at its next write, and stops."""
    thread = make_thread(messages=60)
    batch = start("backfill", thread)
    post = Connection.post
    thieves: list[bool] = []

    async def robbed(self: Connection, path: str, *args: Any, **options: Any) -> Any:
        answer = await post(self, path, *args, **options)
        if len(sandbox_chunks(sandbox)) == 1 and not thieves:
            thieves.append(True)
            await asyncio.to_thread(rob, batch, sandbox)
        return answer

    monkeypatch.setattr(Connection, "post", robbed)
    turn(batch, sandbox)
    # The first may have renewed its lease just before it was taken, and then both stop: a third completes the thread.
    expire_leases()
    turn(batch, sandbox)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert (thread.status, thread.lease_token) == (S.VERIFIED, None)
    assert AuditEvent.objects.filter(verb="thread.verified").count() == 1


def rob(batch: Batch, sandbox: RunningSandbox) -> None:
    """Another worker, in a thread of its own, finds the lease run out."""
    expire_leases()
    turn(batch, sandbox)
    connection.close()


def held_by_another(thread: Thread) -> None:
    Thread.objects.filter(pk=thread.pk).update(
        lease_token=uuid.uuid4(), lease_until=Now() + dt.timedelta(hours=1)
    )


def test_a_turn_ends_while_others_hold_the_rest(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox
) -> None:
    free, held = make_thread("thread_0", messages=1), make_thread("thread_1", messages=1)
    batch = start("backfill", free, held)
    held_by_another(held)
    too_late = threading.Event()
    timer = threading.Timer(20, too_late.set)
    timer.start()
    assert turn(batch, sandbox, too_late) is True
    timer.cancel()
    assert not too_late.is_set()
    free.refresh_from_db()
    held.refresh_from_db()
    assert (free.status, held.status) == (S.VERIFIED, S.QUEUED)


def test_a_turn_ends_when_nothing_was_handed_back_for_a_while(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"ahead": 0.0}
    monkeypatch.setattr(
        runner, "time", types.SimpleNamespace(monotonic=lambda: time.monotonic() + clock["ahead"])
    )
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 30_000.0)
    thread = make_thread(messages=1)
    batch = start("backfill", thread)
    held_by_another(thread)
    stop = threading.Event()
    found_nothing: list[bool] = []

    def claiming(**keywords: Any) -> list[Thread]:
        claimed = threads_claim(**keywords)
        if not claimed:
            found_nothing.append(True)
            clock["ahead"] += 10_000.0
        if len(found_nothing) == 12:
            stop.set()
        return claimed

    monkeypatch.setattr(stock, "threads_claim", claiming)
    connections = Connections(
        source=lambda: source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5),
        target=lambda: target_connection(timeout_seconds=5),
    )
    assert (
        batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR, seconds=1e6, stop=stop))
        is True
    )
    assert len(found_nothing) < 12


def test_a_turn_stays_a_while_for_what_others_hand_back_however_long_it_worked_before(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"ahead": 0.0}
    monkeypatch.setattr(
        runner, "time", types.SimpleNamespace(monotonic=lambda: time.monotonic() + clock["ahead"])
    )
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 30.0)
    threads = [make_thread(f"thread_{number}", messages=1) for number in range(2)]
    batch = start("backfill", *threads)
    held_by_another(threads[1])
    found_nothing: list[bool] = []

    async def taking_hours(work: Work) -> None:
        await thread_backfill(work)
        clock["ahead"] += 7200

    def claiming(**keywords: Any) -> list[Thread]:
        claimed = threads_claim(**keywords)
        if clock["ahead"] and not claimed:  # before that the thread in our own hands would be lost too
            found_nothing.append(True)
            if len(found_nothing) == 3:
                expire_leases()
        return claimed

    monkeypatch.setitem(runner._STEPS, "backfill", taking_hours)
    monkeypatch.setattr(stock, "threads_claim", claiming)
    connections = Connections(
        source=lambda: source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5),
        target=lambda: target_connection(timeout_seconds=5),
    )
    assert batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR, seconds=1e6)) is False
    assert set(Thread.objects.values_list("status", flat=True)) == {S.VERIFIED}


def test_a_database_error_in_flight_ends_the_turn_and_surfaces(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start("backfill", *(make_thread(f"thread_{number}", messages=1) for number in range(6)))
    Batch.objects.update(window=1)
    begun: list[str] = []

    async def losing_the_database(work: Work) -> None:
        begun.append(work.thread.thread_id)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setitem(runner._STEPS, "backfill", losing_the_database)
    with pytest.raises(OperationalError, match="server closed"):
        turn(batch, sandbox)
    assert len(begun) <= 2  # those that were in hand
    assert set(Thread.objects.values_list("status", "attempts")) == {(S.QUEUED, 0)}


def test_deletes_of_one_roll_back_are_under_way_at_once_and_never_more_than_the_window(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = make_thread(messages=25)
    work(start("backfill", thread))
    batch = start("rollback", thread)
    Batch.objects.filter(pk=batch.pk).update(window=5)
    under_way = [0]
    send = Connection._send

    async def counted(self: Connection, *args: Any) -> Any:
        under_way.append(under_way[-1] + 1)
        try:
            return await send(self, *args)
        finally:
            under_way.append(under_way[-1] - 1)

    monkeypatch.setattr(Connection, "_send", counted)
    assert work(batch) is False
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    assert sandbox.control.state().stored_items == 0
    assert max(under_way) == 5


def test_a_large_thread_that_is_converted_keeps_no_place_from_others(
    make_thread: Callable[..., Thread],
    work: Callable[[Batch], bool],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large, *others = [
        make_thread("thread_0", messages=60),
        *(make_thread(f"thread_{n}") for n in range(1, 6)),
    ]
    monkeypatch.setattr(loading, "_SMALL", 5_000)
    exchange = Converter._exchange

    async def once_the_others_are_done(self: Converter, loaded: Loaded) -> None:
        verified = Thread.objects.filter(status=S.VERIFIED)
        while await self._database.run(verified.count) < len(others):  # noqa: ASYNC110 - the database does not tell
            await asyncio.sleep(0.01)
        await exchange(self, loaded)

    monkeypatch.setattr(Converter, "_exchange", once_the_others_are_done)
    batch = start("backfill", large, *others)
    Batch.objects.filter(pk=batch.pk).update(window=1)
    assert work(batch) is False
    for thread in (large, *others):
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
