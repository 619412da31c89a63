import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from console.sandbox.seed import SeedError, SeedReport, seed_file, seed_lines
from console.sandbox.store import Source

from .api import Json, message, run, simple, step, thread


def lines(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def seeded(*values: object) -> tuple[Source, SeedReport]:
    source = Source()
    return source, seed_lines(source, lines(*values), "seed")


def ids(entries: Iterable[object]) -> list[str]:
    return [str(getattr(entry, "id", None)) for entry in entries]


def test_every_kind_of_object_finds_its_place() -> None:
    source, report = seeded(
        simple("assistant", "asst_1"),
        thread(),
        message(1),
        run(1),
        step(1),
        simple("file", "file-1"),
        simple("vector_store", "vs_1"),
    )
    shelves = [source.assistants, source.threads, source.files, source.vector_stores]
    assert [ids(shelf) for shelf in shelves] == [["asst_1"], ["thread_1"], ["file-1"], ["vs_1"]]
    assert ids(source.messages["thread_1"]) == ["msg_1"]
    assert ids(source.runs["thread_1"]) == ["run_1"]
    assert ids(source.steps["run_1"]) == ["step_1"]
    assert sum(report.taken.values()) == 7


def test_messages_given_newest_first_are_turned_round() -> None:
    source, _ = seeded(*(message(number) for number in (3, 2, 1)))
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_2", "msg_3"]


def test_messages_of_one_second_are_turned_round_with_the_rest() -> None:
    times = {4: 20, 3: 10, 2: 10, 1: 0}
    source, _ = seeded(*(message(number, created_at=time) for number, time in times.items()))
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_2", "msg_3", "msg_4"]


def test_pages_taken_newest_first_follow_one_another() -> None:
    pages = [{"object": "list", "data": [message(a), message(b)]} for a, b in ((4, 3), (2, 1))]
    source, _ = seeded(*pages)
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_2", "msg_3", "msg_4"]


def test_message_without_a_time_stays_beside_its_neighbour() -> None:
    untimed = {key: value for key, value in message(9).items() if key != "created_at"}
    source, _ = seeded(message(1), untimed, message(2))
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_9", "msg_2"]


def test_later_seeds_come_after_what_is_there() -> None:
    source, _ = seeded(message(1), message(2))
    seed_lines(source, lines(message(4), message(3)), "more")
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_2", "msg_3", "msg_4"]


def test_object_given_twice_is_kept_once_as_it_came_last() -> None:
    source, _ = seeded(message(1, status="in_progress"), message(2), message(1, status="completed"))
    assert ids(source.messages["thread_1"]) == ["msg_1", "msg_2"]
    stored = source.messages["thread_1"].get("msg_1")
    assert stored is not None
    assert json.loads(stored.raw)["status"] == "completed"


def test_bundle_gives_its_thread_to_its_members() -> None:
    bare = {key: value for key, value in message(1).items() if key != "thread_id"}
    source, _ = seeded({"thread": thread(), "messages": [bare], "runs": [run(1)], "steps": [step(1)]})
    assert ids(source.messages["thread_1"]) == ["msg_1"]
    stored = source.messages["thread_1"].get("msg_1")
    assert stored is not None
    assert json.loads(stored.raw) == bare


def test_bundle_may_name_its_thread_by_id() -> None:
    source, _ = seeded({"thread": "thread_9", "messages": [{**message(1), "thread_id": None}]})
    assert ids(source.messages["thread_9"]) == ["msg_1"]


def test_array_of_objects_is_taken() -> None:
    source, _ = seeded([thread("thread_1"), thread("thread_2")])
    assert ids(source.threads) == ["thread_1", "thread_2"]


def test_thread_known_by_its_messages_only_is_served_too() -> None:
    source, _ = seeded(message(1))
    stored = source.threads.get("thread_1")
    assert stored is not None
    assert json.loads(stored.raw)["object"] == "thread"


def test_thread_that_comes_later_takes_its_place() -> None:
    source, _ = seeded(message(1))
    seed_lines(source, lines(thread(metadata={"a": "b"})), "more")
    stored = source.threads.get("thread_1")
    assert stored is not None
    assert json.loads(stored.raw)["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    "value",
    [
        simple("thread.message.delta", "msg_1"),
        simple("assistant.deleted", "asst_1"),
        {"id": "file-1", "object": "file", "deleted": True},
        {key: value for key, value in message(1).items() if key != "thread_id"},
    ],
)
def test_what_no_server_holds_is_counted_and_not_served(value: Json) -> None:
    source, report = seeded(value)
    assert report.ignored == {value["object"]: 1}
    assert not len(source.threads) + len(source.files) + len(source.assistants)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"{", "seed, line 2: not JSON"),
        (b'"hello"', "seed, line 2: expected an API object"),
        (b'{"id": "x"}', "seed, line 2: an API object needs the strings 'object' and 'id'"),
        (b'{"thread": {}, "messages": []}', "seed, line 2: a bundle's thread has no id"),
    ],
)
def test_line_that_can_not_be_read_is_named(line: bytes, text: str) -> None:
    with pytest.raises(SeedError, match=text):
        seed_lines(Source(), [b"", line], "seed")


def test_gzipped_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines(thread(), message(1)))))
    source = Source()
    assert seed_file(source, path).taken == {"thread": 1, "thread.message": 1}


def test_cut_off_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines(thread(), message(1))))[:-20])
    with pytest.raises(SeedError, match="not a whole gzip file"):
        seed_file(Source(), path)
