"""Threads put together from their pages."""

from migration_app.archive.order.assemble import PageContent
from tests.migration_app.archive.support import assembled, codes, ids, message, page


def test_messages_of_other_threads_stay_out() -> None:
    other = {**message("m2", 2), "thread_id": "thread_2"}
    assert ids(assembled(page({"object": "list", "data": [message("m1", 1), other]}))) == ["m1"]


def test_a_dump_taken_newest_first_comes_out_oldest_first() -> None:
    source = assembled(page(message("m3", 3), message("m2", 1), message("m1", 1)))
    assert ids(source) == ["m1", "m2", "m3"]
    assert codes(source) == []


def test_the_pages_of_one_import_are_one_list() -> None:
    assert ids(assembled(page(message("m3", 2)), page(message("m2", 1), message("m1", 1)))) == [
        "m1",
        "m2",
        "m3",
    ]


def test_several_states_of_a_message_are_one_message() -> None:
    started = message("m1", 1, "par", status="in_progress")
    source = assembled(page(started, message("m2", 2), message("m1", 1, "part", status="completed")))
    assert ids(source) == ["m1", "m2"]
    assert source.messages[0]["content"][0]["text"]["value"] == "part"
    assert codes(source) == []


def test_a_conflict_keeps_the_first_and_leaves_a_finding() -> None:
    source = assembled(page(message("m1", 1, "one")), page(message("m1", 1, "two"), origin="import-2"))
    assert source.messages[0]["content"][0]["text"]["value"] == "one"
    assert [(f.code, f.severity.value, f.source_kind, f.source_id) for f in source.findings] == [
        ("object_conflict", "lossy", "message", "m1")
    ]


def test_an_order_that_had_to_be_guessed_leaves_a_finding() -> None:
    assert codes(assembled(page(message("m1", 1), message("m2", 1)))) == ["message_order_uncertain"]


def test_an_unsorted_dump_leaves_a_note() -> None:
    source = assembled(page(message("m2", 2), message("m3", 3), message("m1", 1)))
    assert ids(source) == ["m1", "m2", "m3"]
    assert [(f.code, f.severity.value) for f in source.findings] == [("message_order_by_time", "note")]


def test_a_transcript_without_times_is_in_the_order_of_the_talk() -> None:
    line = {"thread_id": "thread_1", "messages": [{"role": "user", "content": str(n)} for n in range(3)]}
    source = assembled(page(line, kind="transcript", order="asc"))
    assert [value["content"][0]["text"]["value"] for value in source.messages] == ["0", "1", "2"]
    assert codes(source) == []


def test_rows_of_a_transcript_are_messages() -> None:
    payload = b"thread_id,role,content\nthread_1,user,ok\nthread_1,assistant,fine\nthread_1,user,ok\n"
    source = assembled(PageContent("transcript_csv", "import-1", "asc", payload))
    assert [value["content"][0]["text"]["value"] for value in source.messages] == ["ok", "fine", "ok"]


def test_live_lists_are_trusted_in_the_order_asked_for() -> None:
    listed = {"object": "list", "data": [message("m1", 5), message("m2", 5)]}
    source = assembled(page(listed, kind="live", origin="live-1", order="asc"))
    assert ids(source) == ["m1", "m2"]
    assert codes(source) == []


def test_live_messages_that_name_no_thread_belong_to_the_one_asked_for() -> None:
    bare = message("m1", 5)
    del bare["thread_id"]
    assert ids(assembled(page(bare, kind="live", origin="live-1", order="asc"))) == ["m1"]


def test_runs_stand_oldest_first_in_their_latest_state() -> None:
    runs = [
        {"id": name, "object": "thread.run", "thread_id": "thread_1", "created_at": time, "status": status}
        for name, time, status in (("r2", 9, "queued"), ("r2", 9, "completed"), ("r1", 4, "failed"))
    ]
    source = assembled(page(*runs))
    assert [(run["id"], run["status"]) for run in source.runs] == [("r1", "failed"), ("r2", "completed")]


def test_steps_follow_their_runs_and_the_direction_of_the_messages() -> None:
    runs = [
        {"id": name, "object": "thread.run", "thread_id": "thread_1", "created_at": time}
        for name, time in (("r1", 1), ("r2", 9))
    ]
    steps = [
        {"id": name, "object": "thread.run.step", "thread_id": "thread_1", "run_id": run, "created_at": 5}
        for name, run in (("s4", "r2"), ("s3", "r2"), ("s2", "r1"), ("s1", "r1"))
    ]
    source = assembled(page(message("m2", 2), message("m1", 1), *runs, *steps))
    assert [step["id"] for step in source.steps] == ["s1", "s2", "s3", "s4"]


def test_a_thread_object_that_is_not_there_is_none() -> None:
    assert assembled(page(message("m1", 1))).thread is None
