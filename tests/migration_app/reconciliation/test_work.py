from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from migration_app.gateways.configured import source_connection, target_connection
from migration_app.gateways.connection import Connection
from migration_app.models import Conversation, Reconciliation, Thread
from migration_app.reconciliation import work
from migration_app.reconciliation.estimate import calls_estimate
from migration_app.reconciliation.kinds import CHECKS
from migration_app.reconciliation.population import POPULATIONS
from migration_app.reconciliation.records import (
    RECONCILIATIONS,
    reconciliation_create,
    reconciliation_resume,
    reconciliation_stop,
    totals,
)
from migration_app.reconciliation.work import reconcile_work
from migration_app.tasks.connections import Connections
from migration_app.tasks.turns import Watch
from tests.factories import BatchFactory
from tests.migration_app.copied import (
    ACTOR,
    append_text,
    copied_thread,
    delete_conversation,
    delete_item,
    snapshotted_thread,
    source_objects,
)
from tests.migration_app.engine.conftest import call
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def apis(sandbox: RunningSandbox) -> Connections:
    source = partial(source_connection, base_url=sandbox.base_url, api_version="", timeout_seconds=5)
    return Connections(source, partial(target_connection, timeout_seconds=5))


def run(apis: Connections, **asked: Any) -> Reconciliation:
    row = reconciliation_create(actor=ACTOR, **{"checks": ["target"], "sample_size": None, **asked})
    assert not reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    return row


def found(row: Reconciliation) -> list[tuple[str, str]]:
    return [(entry.code, entry.thread.thread_id if entry.thread else "") for entry in row.discrepancies.all()]


@pytest.mark.parametrize("quick", [False, True])
def test_conversations_that_are_what_was_sent_are_looked_at_and_nothing_is_found(
    quick: bool, apis: Connections
) -> None:
    copied_thread("thread_1", messages=45)
    copied_thread("thread_2", messages=105)
    row = run(apis, quick=quick)
    assert (row.state, found(row)) == ("finished", [])
    assert totals(row) == {"looked": 2, "skipped": 0, "error": 0, "warning": 0, "information": 0}


@pytest.mark.parametrize("quick", [False, True])
def test_a_conversation_that_is_gone_is_missing(
    quick: bool, apis: Connections, sandbox: RunningSandbox
) -> None:
    copied_thread("thread_1")
    delete_conversation(sandbox, copied_thread("thread_2"))
    assert found(run(apis, quick=quick)) == [("conversation_missing", "thread_2")]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("position", [0, 3, 24])
def test_an_item_that_is_gone_is_a_difference_in_words_without_content(
    position: int, quick: bool, apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1", messages=25)
    delete_item(sandbox, thread, position)
    row = run(apis, quick=quick)
    assert found(row) == [("difference", "thread_1")]
    (entry,) = row.discrepancies.all()
    assert f"item {position + 1} " in entry.found
    assert "25 items, found 24" in entry.found
    assert "says" not in entry.found


@pytest.mark.parametrize("quick", [False, True])
def test_a_conversation_that_the_application_goes_on_with_is_no_error(quick: bool, apis: Connections) -> None:
    append_text(copied_thread("thread_1"), "and another thing")
    row = run(apis, quick=quick)
    assert found(row) == [("continued", "thread_1")]
    assert totals(row)["error"] == 0


def again(sandbox: RunningSandbox, thread: Thread, *positions: int) -> None:
    """What an append does that acts a second time, at a target that keeps no ids of its clients."""
    conversation_id = thread.conversation.conversation_id
    stored = sandbox.control.conversation(conversation_id).items
    items = [{name: value for name, value in stored[place].items() if name != "id"} for place in positions]
    call(sandbox, "POST", f"/conversations/{conversation_id}/items", {"items": items})


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("went_on", [False, True])
def test_a_chunk_that_stands_there_twice_is_told_from_an_application_that_went_on(
    quick: bool, went_on: bool, apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1", messages=23)
    if went_on:
        append_text(thread, "and another thing")
    again(sandbox, thread, 20, 21, 22)
    row = run(apis, quick=quick)
    assert found(row) == [("items_twice", "thread_1")]
    assert row.discrepancies.get().found == f"3 of {3 + went_on} after them were sent before"


def test_the_users_last_words_alone_that_stand_there_twice_are_found(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1", messages=1)
    again(sandbox, thread, 0)
    assert found(run(apis)) == [("items_twice", "thread_1")]


def test_words_that_somebody_says_again_are_no_error(apis: Connections, sandbox: RunningSandbox) -> None:
    thread = copied_thread("thread_1", messages=21)
    append_text(thread, "and another thing")
    again(sandbox, thread, 20)
    assert found(run(apis)) == [("continued", "thread_1")]


def test_a_chunk_that_arrived_twice_before_the_next_one_is_found(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1", messages=23)
    again(sandbox, thread, *range(20))
    again(sandbox, thread, 20, 21, 22)
    for _ in range(3):
        delete_item(sandbox, thread, 20)
    row = run(apis)
    assert found(row) == [("items_twice", "thread_1")]
    assert "20 not planned; 20 of these are there twice" in row.discrepancies.get().found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"thread_id": "x"}, "metadata_differs"),
        ({}, "metadata_differs"),
        ({"thread_id": "thread_1", "a": "b"}, "continued"),
    ],
)
def test_metadata_is_compared_too(
    change: dict[str, str], code: str, apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1")
    call(sandbox, "POST", f"/conversations/{thread.conversation.conversation_id}", {"metadata": change})
    row = run(apis)
    assert found(row) == [(code, "thread_1")]
    assert "metadata differs" in row.discrepancies.get().found
    assert found(run(apis, quick=True)) == []


def test_an_item_put_in_the_place_of_another_with_the_same_words_is_a_difference(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1", messages=3)
    again(sandbox, thread, 2)
    delete_item(sandbox, thread, 2)
    row = run(apis)
    assert found(row) == [("difference", "thread_1")]
    assert "item 3 is not the one that was appended" in row.discrepancies.get().found
    Conversation.objects.update(continued_after=3)
    assert found(run(apis)) == [("difference", "thread_1")]


def test_reading_takes_the_calls_that_were_counted(apis: Connections, sandbox: RunningSandbox) -> None:
    copied_thread("thread_1", messages=105)
    copied_thread("thread_2", messages=3)
    for quick in (False, True):
        before = len(sandbox.control.requests())
        run(apis, quick=quick)
        estimate = calls_estimate(checks=["target"], sample_size=None, quick=quick)
        assert len(sandbox.control.requests()) - before == estimate.target_calls == (3 if quick else 5)


@pytest.mark.parametrize("quick", [False, True])
def test_what_is_known_to_be_continued_is_read_as_far_as_it_is_ours(
    quick: bool, apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread("thread_1")
    append_text(thread, "and another thing")
    Conversation.objects.update(continued_after=3)
    assert found(run(apis, quick=quick)) == []
    delete_item(sandbox, thread, 1)
    assert found(run(apis, quick=quick)) == [("difference", "thread_1")]


def test_other_content_under_the_recorded_ids_is_found_by_content_and_not_by_ids(apis: Connections) -> None:
    thread, other = copied_thread("thread_1"), copied_thread("thread_2", word="replies")
    Conversation.objects.filter(thread=thread).delete()
    Conversation.objects.filter(thread=other).update(thread=thread)
    assert found(run(apis, quick=True)) == []
    row = run(apis)
    assert found(row) == [("difference", "thread_1")]
    (entry,) = row.discrepancies.all()
    assert "item 1 (message by user)" in entry.found
    assert "replies" not in entry.found


def test_without_a_plan_it_is_compared_by_the_fingerprint_of_what_was_sent(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    thread = copied_thread()
    Conversation.objects.update(policies={"incomplete_messages": "no such choice"})
    assert found(run(apis)) == []
    append_text(thread, "and another thing")
    assert found(run(apis)) == [("continued", "thread_1")]
    delete_item(sandbox, thread, 0)
    row = run(apis)
    assert found(row) == [("difference", "thread_1")]
    assert row.discrepancies.get().found.endswith("their fingerprint differs")


def test_threads_that_are_being_worked_on_are_not_judged(apis: Connections, sandbox: RunningSandbox) -> None:
    thread = copied_thread("thread_1")
    delete_conversation(sandbox, thread)
    Thread.objects.update(pending_work="verify", batch=BatchFactory.create())
    row = run(apis)
    assert found(row) == []
    assert totals(row)["skipped"] == 1


def test_a_thread_that_the_engine_touched_while_it_was_read_is_not_judged(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_conversation(sandbox, copied_thread("thread_1"))
    ask = work._ask

    def ask_and_work(*arguments: Any) -> Any:
        answers = ask(*arguments)
        Conversation.objects.update(state="complete")
        return answers

    monkeypatch.setattr(work, "_ask", ask_and_work)
    row = run(apis)
    assert found(row) == []
    assert (row.counts["target"]["looked"], row.counts["target"]["skipped"]) == (0, 1)


def test_a_sample_reads_as_many_conversations_as_asked_for_spread_over_all(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    threads = [copied_thread(f"thread_{number}", messages=1) for number in range(12)]
    for thread in threads:
        delete_conversation(sandbox, thread)
    row = run(apis, sample_size=4)
    numbers = [threads.index(entry.thread) for entry in row.discrepancies.all() if entry.thread]
    assert [number // 3 for number in numbers] == [0, 1, 2, 3]


def test_the_window_bounds_the_reads_in_flight(apis: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        copied_thread(f"thread_{number}", messages=1)
    flying: list[int] = [0, 0]
    read = work._conversation_read

    async def counted(*arguments: Any) -> Any:
        flying[0] += 1
        flying[1] = max(flying)
        try:
            return await read(*arguments)
        finally:
            flying[0] -= 1

    monkeypatch.setattr(work, "_conversation_read", counted)
    run(apis, window=2)
    assert flying == [0, 2]


def test_as_many_plans_are_in_memory_as_may_be_at_once(
    apis: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        copied_thread(f"thread_{number}", messages=1)
    Thread.objects.update(payload_bytes=10)
    monkeypatch.setattr(work, "_WAVE_BYTES", 20)
    waves: list[int] = []
    ask = work._ask

    def counted(*arguments: Any) -> Any:
        waves.append(len(arguments[2]))
        return ask(*arguments)

    monkeypatch.setattr(work, "_ask", counted)
    assert totals(run(apis))["looked"] == 5
    assert waves == [2, 2, 1]


def stop_after(pages: int) -> tuple[Watch, list[int]]:
    seen: list[int] = []
    return Watch(stop=lambda: len(seen) >= pages, progress=lambda row: seen.append(row.cursor)), seen


def test_a_run_that_is_stopped_goes_on_where_it_was_and_finds_everything_once(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    for number in range(10):
        delete_conversation(sandbox, copied_thread(f"thread_{number}", messages=1))
    row = reconciliation_create(actor=ACTOR, checks=["records", "target"], sample_size=None, window=1)
    watch, _seen = stop_after(2)
    assert reconcile_work(pk=row.pk, actor=ACTOR, apis=apis, watch=watch)
    row.refresh_from_db()
    assert (row.state, row.check_name) == ("queued", "target")
    assert 0 < row.discrepancies.count() < 10
    reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    assert row.state == "finished"
    assert [name for _code, name in found(row)] == [f"thread_{number}" for number in range(10)]
    assert totals(row)["looked"] == 20


def test_a_sample_that_is_stopped_looks_at_the_same_threads_as_one_that_is_not(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    for number in range(20):
        delete_conversation(sandbox, copied_thread(f"thread_{number}", messages=1))
    whole = run(apis, sample_size=9, window=1)
    row = reconciliation_create(actor=ACTOR, checks=["target"], sample_size=9, window=1)
    while reconcile_work(pk=row.pk, actor=ACTOR, apis=apis, watch=stop_after(1)[0]):
        pass
    assert found(row) == found(whole)
    assert len(found(row)) == 9


def test_one_that_a_person_stopped_writes_nothing_more(apis: Connections) -> None:
    for number in range(6):
        copied_thread(f"thread_{number}", messages=1)
    row = reconciliation_create(actor=ACTOR, checks=["target"], sample_size=None, window=1)

    def press_stop(running: Reconciliation) -> None:
        reconciliation_stop(pk=running.pk, actor=ACTOR)

    watch = Watch(progress=press_stop)
    assert not reconcile_work(pk=row.pk, actor=ACTOR, apis=apis, watch=watch)
    row.refresh_from_db()
    assert (row.state, totals(row)["looked"]) == ("stopped", 4)
    assert reconciliation_resume(pk=row.pk, actor=ACTOR)
    reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    assert (row.state, totals(row)["looked"]) == ("finished", 6)


def test_two_runs_of_one_reconciliation_are_one(apis: Connections) -> None:
    copied_thread()
    row = reconciliation_create(actor=ACTOR, checks=["target"], sample_size=None)
    assert RECONCILIATIONS.claim(row.pk) is not None
    assert not reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    assert (row.state, totals(row)["looked"]) == ("running", 0)


def test_a_refused_key_ends_it_with_a_reason_and_it_can_go_on(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_thread()
    sandbox.control.add_fault("unauthorized", "GET .*/items")
    row = run(apis)
    assert row.state == "failed"
    assert "Check the key" in row.error_text
    sandbox.control.clear_faults()
    assert reconciliation_resume(pk=row.pk, actor=ACTOR)
    reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    assert (row.state, row.error_text) == ("finished", "")


def test_a_target_that_nobody_named_ends_it_with_a_reason(
    apis: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_thread()
    monkeypatch.delenv("OPENAI_API_KEY")
    row = run(apis)
    assert (row.state, row.error_text) == ("failed", "OPENAI_API_KEY is not set where the worker runs.")


def test_reads_that_fail_one_after_another_end_it(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr("migration_app.gateways.connection._READ_PAUSES", ())
    settings.BREAKER_FAILURES = 3
    for number in range(3):
        copied_thread(f"thread_{number}", messages=1)
    sandbox.control.add_fault("error_500", "GET .*/items")
    row = run(apis)
    assert row.state == "failed"
    assert row.error_text.startswith("3 reads failed, one after another. The server failed (500).")


def test_a_single_read_that_fails_is_said_and_the_rest_is_looked_at(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migration_app.gateways.connection._READ_PAUSES", ())
    for number in range(3):
        copied_thread(f"thread_{number}", messages=1)
    sandbox.control.add_fault("error_500", "GET .*/items", times=1)
    row = run(apis, window=1)
    assert (row.state, found(row)) == ("finished", [("target_unreadable", "thread_0")])


def test_a_target_that_knows_none_of_many_is_taken_for_the_wrong_one_until_somebody_insists(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_STRANGERS", 4)
    for number in range(6):
        delete_conversation(sandbox, copied_thread(f"thread_{number}", messages=1))
    row = run(apis, window=1)
    assert row.state == "failed"
    assert "none of the first 4 conversations" in row.error_text
    reconciliation_resume(pk=row.pk, actor=ACTOR)
    reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
    row.refresh_from_db()
    assert (row.state, totals(row)["error"]) == ("finished", 6)


def test_it_sends_nothing_but_reads(apis: Connections, sandbox: RunningSandbox) -> None:
    copied_thread("thread_1", messages=25)
    before = len(sandbox.control.requests())
    run(apis, checks=["records", "snapshots", "objects", "tallies", "orphans", "work", "target", "live"])
    assert {seen.method for seen in sandbox.control.requests()[before:]} == {"GET"}


def test_a_thread_that_has_grown_at_the_live_source_is_ahead_of_its_snapshot(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    for name in ("thread_1", "thread_2", "thread_3"):
        snapshotted_thread(name)
        if name != "thread_3":
            sandbox.control.seed(source_objects(name, 3))
    sandbox.control.add_message("thread_2", "user", "one more")
    row = run(apis, checks=["live"])
    assert found(row) == [("source_ahead", "thread_2"), ("source_gone", "thread_3")]
    assert totals(row)["looked"] == 3


def test_a_snapshot_that_changed_while_the_source_was_asked_counts_as_skipped(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshotted_thread("thread_1")
    sandbox.control.seed(source_objects("thread_1", 3))
    sandbox.control.add_message("thread_1", "user", "one more")
    ask = work._ask

    def ask_and_work(*arguments: Any) -> Any:
        answers = ask(*arguments)
        Thread.objects.update(pending_work="snapshot", batch=BatchFactory.create())
        return answers

    monkeypatch.setattr(work, "_ask", ask_and_work)
    row = run(apis, checks=["live"])
    assert found(row) == []
    assert (totals(row)["looked"], totals(row)["skipped"]) == (0, 1)


def test_connections_are_opened_when_they_are_needed_and_closed(
    apis: Connections, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    close = Connection.close

    async def closing(connection: Connection) -> None:
        closed.append(True)
        await close(connection)

    monkeypatch.setattr(Connection, "close", closing)
    run(apis, checks=["records"])
    assert closed == []
    copied_thread()
    closed.clear()
    run(apis, checks=["records", "target"])
    assert closed == [True]


def test_every_check_has_a_way_to_run_and_rows_where_it_goes_by_rows() -> None:
    assert set(CHECKS) == set(work._ONCE) | set(work._LOOKS)
    assert set(work._LOOKS) == set(POPULATIONS)
