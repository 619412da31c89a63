"""List pages that say they go on, through the import: kept, found, counted, and settled by a later import."""

from __future__ import annotations

import itertools

import pytest

from migration_app.contracts import JsonObject
from migration_app.models import SnapshotPage
from migration_app.threads.snapshots import live_snapshot_store
from tests.migration_app.archive.support import listed
from tests.migration_app.intake.support import ACTOR, imported, lines, message, run, the_thread, thread

pytestmark = pytest.mark.django_db

CODE = "list_goes_on"
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
