"""When entries are written: in groups, and those that announce a call once it has a place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from migration_app.contracts import Actor
from migration_app.engine.journal import commits as commits_module
from migration_app.engine.journal.commits import Commits
from migration_app.engine.journal.entries import Announcement, Entry
from migration_app.engine.places import Places, ThreadPlaces
from migration_app.gateways.errors import StoppedError
from migration_app.models import Thread
from migration_app.threads.statuses import LeaseLostError

ACTOR = Actor("ada")


class Journal:
    """Stands for the database: notes what each group holds, and answers when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[tuple[int, set[str]]]] = []
        self.open = threading.Event()
        self.open.set()
        self.held = True

    def __call__(self, entries: Sequence[Entry], _actor: Actor) -> frozenset[int]:
        self.groups.append([(entry.thread.pk, set(entry.parts)) for entry in entries])
        assert self.open.wait(10)
        return frozenset(entry.thread.pk for entry in entries) if self.held else frozenset()

    @property
    def written(self) -> list[tuple[int, set[str]]]:
        """Everything, in order."""
        return [row for group in self.groups for row in group]


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Journal:
    found = Journal()
    monkeypatch.setattr(commits_module, "entries_apply", found)
    return found


def entry(pk: int, places: ThreadPlaces | None = None) -> Entry:
    """What thread ``pk`` has to write; with ``places`` it announces a call."""
    made = Entry(Thread(pk=pk, thread_id=f"thread_{pk}"))
    made.parts["appended"] = {}
    if places is not None:
        made.announcement = Announcement(places, lambda into: into.parts.update(sending={}))
    return made


def test_what_comes_while_a_group_is_written_is_the_next_one(journal: Journal) -> None:
    async def go() -> None:
        journal.open.clear()
        async with Commits(ACTOR) as commits:
            writes = [asyncio.create_task(commits.write(entry(pk))) for pk in range(61)]
            await asyncio.sleep(0)
            journal.open.set()
            await asyncio.gather(*writes)

    asyncio.run(go())
    assert [pk for pk, _ in journal.written] == list(range(61))
    assert [len(group) for group in journal.groups] == [1, 60]


def test_an_announcement_is_written_with_what_the_last_call_brought_once_there_is_a_place(
    journal: Journal,
) -> None:
    async def go() -> None:
        places = Places(1)
        first, second = places.of_thread(), places.of_thread()
        async with Commits(ACTOR) as commits:
            await commits.write(entry(1, first))
            waiting = asyncio.create_task(commits.write(entry(2, second)))
            await asyncio.sleep(0)
            await commits.write(entry(3))
            async with first.call():
                assert not waiting.done()
            await waiting

    asyncio.run(go())
    assert journal.written == [(1, {"appended", "sending"}), (3, {"appended"}), (2, {"appended", "sending"})]


def test_what_the_last_call_brought_waits_for_a_place_for_a_moment_only(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits_module, "_SOON_SECONDS", 0.0)

    async def go() -> None:
        places = Places(1)
        first, second = places.of_thread(), places.of_thread()
        async with Commits(ACTOR) as commits:
            await commits.write(entry(1, first))
            waiting = asyncio.create_task(commits.write(entry(2, second)))
            await asyncio.sleep(0.05)
            await commits.hand_in(entry(3))  # the rest of the second has gone before
            first.leave()
            await waiting

    asyncio.run(go())
    assert journal.written[1:] == [(2, {"appended"}), (3, {"appended"}), (2, {"sending"})]


def test_a_place_that_comes_while_the_rest_is_written_is_used_after_it(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group never has two entries of one thread."""
    monkeypatch.setattr(commits_module, "_SOON_SECONDS", 0.0)

    async def go() -> None:
        places = Places(1)
        first, second = places.of_thread(), places.of_thread()
        async with Commits(ACTOR) as commits:
            await commits.write(entry(1, first))
            journal.open.clear()
            blocking = asyncio.create_task(commits.write(entry(3)))
            waiting = asyncio.create_task(commits.write(entry(2, second)))
            await asyncio.sleep(0.02)
            first.leave()
            await asyncio.sleep(0.02)
            journal.open.set()
            await asyncio.gather(blocking, waiting)

    asyncio.run(go())
    assert journal.groups[1:] == [[(3, {"appended"})], [(2, {"appended"})], [(2, {"sending"})]]


def test_a_stop_while_it_waits_announces_nothing_and_keeps_what_there_is(journal: Journal) -> None:
    async def go() -> None:
        places = Places(1)
        first, second = places.of_thread(), places.of_thread()
        async with Commits(ACTOR) as commits:
            await commits.write(entry(1, first))
            waiting = asyncio.create_task(commits.write(entry(2, second)))
            await asyncio.sleep(0)
            places.stop()
            with pytest.raises(StoppedError):
                await waiting

    asyncio.run(go())
    assert journal.written[1:] == [(2, {"appended"})]


def test_a_lease_that_is_lost_meanwhile_announces_nothing_and_frees_the_place(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits_module, "_SOON_SECONDS", 0.0)

    async def go() -> None:
        places = Places(1)
        first, second = places.of_thread(), places.of_thread()
        async with Commits(ACTOR) as commits:
            await commits.write(entry(1, first))
            journal.held = False
            with pytest.raises(LeaseLostError):
                await commits.write(entry(2, second))
            second.leave()
            first.leave()
            assert places.idle == 1

    asyncio.run(go())
    assert journal.written[1:] == [(2, {"appended"})]


def test_a_fault_in_what_announces_is_the_thread_s_own(journal: Journal) -> None:
    def bad(_entry: Entry) -> None:
        raise KeyError("sending")

    async def go() -> None:
        places = Places(1)
        thread = places.of_thread()
        faulty = entry(1)
        faulty.announcement = Announcement(thread, bad)
        async with Commits(ACTOR) as commits:
            with pytest.raises(KeyError):
                await commits.write(faulty)
            thread.leave()
            await commits.write(entry(2, places.of_thread()))

    asyncio.run(go())
    assert journal.written == [(2, {"appended", "sending"})]
