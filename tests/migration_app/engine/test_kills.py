"""A worker killed at every step of the protocol: enumerated, not random.

A kill is a BaseException at a boundary: before and after each write (one statement, so there is nothing in
between), before and after each call. What the database and the target hold at that moment is what a kill -9
leaves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from migration_app.engine.journal.commits import Commits
from migration_app.engine.journal.entries import Entry
from migration_app.gateways.connection import Connection
from migration_app.models import FormerConversation, OrphanConversation, Thread
from tests.migration_app.engine.conftest import (
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    claim,
    expire_leases,
    start,
)
from tests.sandbox import RunningSandbox

BOUNDARIES = 25
"""One more than a backfill of 45 messages passes: 6 writes and 6 calls, and each has a before and an after."""

UNSENT = frozenset({5, 6, 9, 10, 13, 14})
"""Between the intent of each append and its call: the next worker can't know that nothing is on its way."""


class KilledError(BaseException):
    """The worker is gone."""


class Bomb:
    """Goes off at the n-th boundary."""

    def __init__(self, fuse: int) -> None:
        self.left = fuse
        self.at = ""

    def passing(self, place: str) -> None:
        if self.left == 0:
            self.left = -1
            self.at = place
            raise KilledError(place)
        self.left -= 1


def arm(monkeypatch: pytest.MonkeyPatch, bomb: Bomb) -> None:
    write = Commits.write

    async def writing(self: Commits, entry: Entry) -> None:
        bomb.passing("before a write")
        await write(self, entry)
        bomb.passing("after a write")

    def around(name: str) -> Callable[..., Any]:
        call = getattr(Connection, name)

        async def passing(self: Connection, path: str, *args: Any, **options: Any) -> Any:
            bomb.passing(f"before {name}")
            answer = await call(self, path, *args, **options)
            bomb.passing(f"after {name} {'create' if path == '/conversations' else 'items'}")
            return answer

        return passing

    monkeypatch.setattr(Commits, "write", writing)
    for name in ("get", "post"):
        monkeypatch.setattr(Connection, name, around(name))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeats_refused", [True, False], ids=["repeats refused", "repeats unknown"])
@pytest.mark.parametrize("fuse", range(BOUNDARIES))
def test_a_worker_killed_at_any_boundary_leaves_work_that_the_next_one_completes(
    make_thread: Callable[..., Thread],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    fuse: int,
    repeats_refused: bool,
) -> None:
    thread = make_thread(messages=45)
    batch = start("backfill", thread)
    bomb = Bomb(fuse)
    with monkeypatch.context() as patched:
        arm(patched, bomb)
        with contextlib.suppress(KilledError):
            backfilled(claim(batch), repeats_refused=repeats_refused)
    thread.refresh_from_db()
    if bomb.at:
        expire_leases()
    if thread.pending_work:
        backfilled(claim(batch), repeats_refused=repeats_refused)

    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert (thread.status, thread.pending_work, thread.lease_token) == ("verified", "", None)
    orphans = OrphanConversation.objects.count()
    given_up = FormerConversation.objects.filter(outcome="given_up", delete_after__isnull=False)
    assert len(sandbox.control.state().items) <= 1 + orphans + len(given_up)
    assert len(given_up) == (fuse in UNSENT and not repeats_refused)
    if bomb.at == "after post create":
        assert orphans == 1


@pytest.mark.django_db(transaction=True)
def test_the_enumeration_reaches_past_the_last_boundary_and_not_much_further(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = Bomb(BOUNDARIES)
    arm(monkeypatch, bomb)
    backfilled(claim(start("backfill", make_thread(messages=45))))
    assert bomb.left == 1
