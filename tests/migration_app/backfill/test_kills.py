"""A worker killed at every step of the protocol: enumerated, not random.

A kill is a BaseException at a boundary: before and after each transaction, before its commit, before and
after each call. What the database and the target hold at that moment is what a kill -9 leaves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.sandbox.testing import RunningSandbox
from migration_app.backfill import records
from migration_app.backfill.protocol import thread_backfill
from migration_app.gateways.connection import Connection
from migration_app.models import OrphanConversation, Thread
from migration_app.services.claims import lease_held
from tests.migration_app.backfill.conftest import (
    ACTOR,
    assert_conversation_holds_exactly_the_thread,
    claim,
    expire_leases,
    start,
)

BOUNDARIES = 60
"""More than one backfill of 45 messages passes; the test of the last one shows that none is left out."""


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
    @contextlib.contextmanager
    def held(thread: Thread) -> Iterator[None]:
        bomb.passing("before a transaction")
        with lease_held(thread):
            yield
            bomb.passing("before its commit")
        bomb.passing("after its commit")

    def around(name: str) -> Callable[..., Any]:
        call = getattr(Connection, name)

        def passing(self: Connection, path: str, *args: Any) -> Any:
            bomb.passing(f"before {name}")
            answer = call(self, path, *args)
            bomb.passing(f"after {name} {'create' if path == '/conversations' else 'items'}")
            return answer

        return passing

    monkeypatch.setattr(records, "lease_held", held)
    for name in ("get", "post"):
        monkeypatch.setattr(Connection, name, around(name))


@pytest.mark.django_db
@pytest.mark.parametrize("fuse", range(BOUNDARIES))
def test_a_worker_killed_at_any_boundary_leaves_work_that_the_next_one_completes(
    make_thread: Callable[..., Thread],
    target: Connection,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    fuse: int,
) -> None:
    thread = make_thread(messages=45)
    batch = start("backfill", thread)
    bomb = Bomb(fuse)
    with monkeypatch.context() as patched:
        arm(patched, bomb)
        with contextlib.suppress(KilledError):
            thread_backfill(thread=claim(batch), connection=target, actor=ACTOR)
    thread.refresh_from_db()
    if bomb.at:
        expire_leases()
    if thread.pending_work:
        thread_backfill(thread=claim(batch), connection=target, actor=ACTOR)

    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert (thread.status, thread.pending_work, thread.lease_token) == ("verified", "", None)
    orphans = OrphanConversation.objects.count()
    assert len(sandbox.control.state().items) <= 1 + orphans
    if bomb.at == "after post create":
        assert orphans == 1


@pytest.mark.django_db
def test_the_enumeration_reaches_past_the_last_boundary(
    make_thread: Callable[..., Thread],
    target: Connection,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = Bomb(BOUNDARIES)
    arm(monkeypatch, bomb)
    thread_backfill(thread=claim(start("backfill", make_thread(messages=45))), connection=target, actor=ACTOR)
    assert bomb.left > 0
