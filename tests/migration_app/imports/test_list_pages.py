"""List pages that say they go on, through the import: kept, found, counted, and settled by a later import."""

from __future__ import annotations

import itertools

import pytest

from migration_app.contracts import MAX_JSON_DEPTH, JsonObject
from migration_app.imports import archives
from migration_app.models import SnapshotPage
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.snapshots import live_snapshot_store
from tests.migration_app.archive.support import listed
from tests.migration_app.imports.support import (
    ACTOR,
    assistant,
    imported,
    lines,
    message,
    run,
    the_thread,
    thread,
    undone,
)

pytestmark = pytest.mark.django_db

CODE = "list_continues"
TOLD = [message(f"m{number:02}", 200 + number) for number in range(12)]
NEWER = listed(*TOLD[:3:-1], has_more=True)
OLDER = listed(*TOLD[3::-1], has_more=False)


def is_open(name: str = "thread_1") -> bool:
    row = the_thread(name)
    assert (row.fidelity == "lossy") == (CODE in row.finding_counts)
    return CODE in row.finding_counts


def test_a_first_page_alone_is_lossy_and_counted_on_the_import() -> None:
    source_import = imported(lines(thread(), NEWER))
    assert is_open()
    assert source_import.counts["lists_left_open"] == 1


def test_the_page_that_continues_it_settles_it_in_every_order_of_imports() -> None:
    for number, files in enumerate(itertools.permutations([[thread()], [NEWER], [OLDER]])):
        name = f"thread_{number}"
        counts = [imported(lines(*(_of(value, name) for value in file))).counts for file in files]
        assert not is_open(name)
        assert "lists_left_open" not in counts[-1]


def test_a_page_of_messages_that_are_known_still_says_that_more_follow() -> None:
    imported(lines(thread(), *TOLD[4:]))
    assert not is_open()
    assert imported(lines(NEWER)).counts["lists_left_open"] == 1
    assert is_open()


def test_a_continuing_page_of_messages_that_are_known_settles_it() -> None:
    imported(lines(thread(), NEWER, *TOLD[:4]))
    assert is_open()
    imported(lines(OLDER))
    assert not is_open()


def test_a_bare_list_of_messages_that_are_known_settles_it() -> None:
    imported(lines(thread(), NEWER, *TOLD[:4]))
    imported(lines({"thread_id": "thread_1", "messages": TOLD}))
    assert not is_open()


def test_importing_the_same_page_again_stores_nothing_and_counts_it_again() -> None:
    data = lines(thread(), NEWER)
    imported(data)
    before = SnapshotPage.objects.count()
    assert imported(data).counts["lists_left_open"] == 1
    assert SnapshotPage.objects.count() == before


def test_an_empty_last_page_belongs_to_the_list_before_it() -> None:
    data = lines(thread(), NEWER, listed(has_more=False, first_id=None, last_id=None))
    imported(data)
    assert not is_open()
    before = SnapshotPage.objects.count()
    imported(data)
    assert SnapshotPage.objects.count() == before


def test_an_empty_page_that_goes_on_and_names_no_thread_is_rejected() -> None:
    source_import = imported(lines(thread(), listed(has_more=True)))
    assert source_import.reject_count == 1
    assert "says that more follow" in source_import.rejects.get().reason


def test_an_empty_page_in_a_bundle_of_several_threads_keeps_what_it_says() -> None:
    bundles = [
        {**thread("thread_1"), "messages": listed(has_more=True)},
        {**thread("thread_2"), "messages": _of(NEWER, "thread_2")},
        {**thread("thread_3"), "messages": _of(OLDER, "thread_3")},
    ]
    source_import = imported(lines(listed(*bundles)))
    assert [is_open(f"thread_{number}") for number in (1, 2, 3)] == [True, True, False]
    assert source_import.counts["lists_left_open"] == 2


def test_a_live_snapshot_settles_what_an_import_left_open() -> None:
    imported(lines(thread(), NEWER, *TOLD[:4]))
    assert is_open()
    whole = lines(listed(*TOLD, has_more=False))
    live_snapshot_store(thread=the_thread(), received=[(whole, "req")], actor=ACTOR)
    assert not is_open()


def test_runs_of_a_page_that_goes_on_are_counted_beside_messages() -> None:
    runs = listed(run("run_2", created_at=300), has_more=True)
    assert imported(lines(thread(), NEWER, runs)).counts["lists_left_open"] == 2


def _of(value: JsonObject, name: str) -> JsonObject:
    """The same objects in another thread."""
    if value.get("object") == "thread":
        return {**value, "id": name}
    moved = [{**one, "id": f"{one['id']}_{name}", "thread_id": name} for one in value["data"]]
    return {**value, "data": moved}


def bad() -> JsonObject:
    return message("m2", 202) | {"id": None}


def test_a_page_of_nothing_but_rejects_still_says_that_more_follow() -> None:
    imported(lines(thread(), listed(bad(), has_more=True)))
    assert is_open()
    imported(lines(message("m2", 202)))
    assert the_thread().finding_counts == {CODE: 1}
    imported(lines(listed(message("m2", 202), has_more=True), listed(message("m1", 201), has_more=False)))
    assert not is_open()


def test_so_does_a_page_of_runs_or_steps() -> None:
    imported(lines(thread(), message("m1"), listed(run("r1") | {"id": None}, has_more=True)))
    finding = next(f for f in load_source_thread(the_thread()).findings if f.code == CODE)
    assert finding.place == "runs"


def test_so_does_a_page_of_what_is_nested_too_deeply() -> None:
    deep: JsonObject = {}
    for _level in range(MAX_JSON_DEPTH):
        deep = {"a": deep}
    imported(lines(thread(), listed(message("m2", 202, metadata=deep), has_more=True)))
    assert is_open()


def test_a_page_of_nothing_but_deletions_still_says_that_more_follow() -> None:
    gone = {"id": "m2", "object": "thread.message.deleted", "deleted": True}
    imported(lines(thread(), {"thread_id": "thread_1", "messages": listed(gone, has_more=True)}))
    assert is_open()
    source_import = imported(lines(listed(gone, has_more=True)))
    assert "names no thread" in source_import.rejects.get().reason


STEP: JsonObject = {
    "id": "s1",
    "object": "thread.run.step",
    "thread_id": "thread_1",
    "run_id": "r1",
    "created_at": 100,
    "type": "tool_calls",
    "status": "completed",
    "step_details": {"type": "tool_calls", "tool_calls": []},
}


@pytest.mark.parametrize(
    "bundle",
    [
        {"thread_id": "thread_1", "run_steps": [STEP], "has_more": True},
        {"thread_id": "thread_1", "run_steps": {"r1": [STEP]}, "has_more": True},
        {**run("r1"), "steps": [STEP], "has_more": True},
        {"thread": thread(), "runs": [run("r1")], "has_more": True},
        {"thread": thread(), "messages": [], "runs": [run("r1")], "has_more": True},
        {
            "thread": thread(),
            "messages": listed(message("m1"), has_more=False),
            "steps": [STEP],
            "has_more": True,
        },
    ],
)
def test_a_bundle_of_runs_or_steps_that_says_more_follow_is_named(bundle: JsonObject) -> None:
    assert imported(lines(thread(), bundle)).counts["lists_left_open"] == 1
    assert is_open()


def test_what_a_bundle_says_of_its_messages_it_does_not_say_of_its_runs() -> None:
    imported(lines({"thread": thread(), "messages": [message("m1")], "runs": [run("r1")], "has_more": False}))
    assert not is_open()


def _others(*names: str, has_more: bool) -> JsonObject:
    return listed(*(thread(name) for name in names), has_more=has_more)


def test_a_list_of_threads_that_nothing_continues_is_counted() -> None:
    first, last = _others("thread_1", "thread_2", has_more=True), _others("thread_3", has_more=False)
    for files in ([first], [first, thread("thread_3")], [{"threads": first["data"], "has_more": True}]):
        with undone():
            assert imported(lines(*files)).counts["lists_left_open"] == 1
    for order in ([first, last], [last, first], [first, listed(has_more=False)]):
        with undone():
            assert "lists_left_open" not in imported(lines(*order)).counts


def test_so_is_a_list_of_bundles_transcripts_or_assistants() -> None:
    told = {"thread_id": "thread_1", "messages": [{"role": "user", "content": "a"}]}
    bundle = {"thread": "thread_2", "messages": [message("m1", of="thread_2")]}
    for page in (
        listed(told, has_more=True),
        listed(bundle, has_more=True),
        listed(assistant(), has_more=True),
    ):
        with undone():
            assert imported(lines(page)).counts["lists_left_open"] == 1


# The same message on a page that goes on, and as a line of its own with the one behind it.
ONE_PAGE = listed(message("m2", 202), has_more=True)


@pytest.mark.parametrize("buffer", [1, 20_000])
@pytest.mark.parametrize(
    "files",
    [
        [[thread(), ONE_PAGE, message("m2", 202), message("m1", 201)]],
        [[thread(), ONE_PAGE, message("m1", 201), message("m2", 202)]],
        [[thread(), ONE_PAGE], [message("m2", 202), message("m1", 201)]],
        [[thread(), ONE_PAGE], [message("m1", 201), message("m2", 202)]],
        [[message("m2", 202), message("m1", 201)], [ONE_PAGE, thread()]],
        [[thread(), message("m1", 201)], [ONE_PAGE], [message("m2", 202), message("m1", 201)]],
    ],
)
def test_known_messages_as_lines_that_go_on_from_a_page_settle_it(
    files: list[list[JsonObject]], buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BUFFER_DOCUMENTS", buffer)
    for file in files:
        imported(lines(*file))
    assert not is_open()
    pages = SnapshotPage.objects.count()
    for file in files:
        imported(lines(*file))
    assert (is_open(), SnapshotPage.objects.count()) == (False, pages)


def test_known_lines_that_do_not_go_on_from_a_page_leave_it_open() -> None:
    data = lines(thread(), ONE_PAGE, message("m2", 202), run("r1"), run("r1"))
    imported(data)
    imported(data)
    assert is_open()


def test_a_known_bare_list_in_the_same_import_settles_a_page() -> None:
    bare = {"thread_id": "thread_1", "messages": [message("m1", 201), message("m2", 202)]}
    for files in itertools.permutations([[message("m1", 201)], [ONE_PAGE], [bare]]):
        with undone():
            imported(lines(thread(), *itertools.chain.from_iterable(files)))
            assert not is_open()
        with undone():
            for file in files:
                imported(lines(*file))
            assert not is_open()
