"""A worker frozen at every boundary of the protocol, past its lease, with and without a limit; then continued."""

from __future__ import annotations

import pytest

from migration_app.models import Conversation, FormerConversation, OrphanConversation
from tests.chaos.freezing import BOUNDARIES
from tests.end_to_end.black_box import TIMEOUT_SECONDS, assert_kept, quiet, run_at, settled
from tests.end_to_end.foreign_target import Behaviour, foreign_target

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.black_box,
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

AT = (11, 42)
"""Which passings of a boundary freeze the worker: among the first appends, and in the middle of the batch."""


@pytest.mark.parametrize("limit", [0, 1200], ids=["no_limit", "limit"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_worker_frozen_past_its_lease_leaves_nothing_twice(boundary: str, limit: int) -> None:
    with (
        foreign_target(Behaviour(latency_seconds=0.1)) as target,
        run_at(
            target.url,
            count=40,
            sizes=(5, 21, 41),
            lease_seconds=2,
            timeout_seconds=5,
            requests_per_minute=limit,
        ) as run,
    ):
        run.start_workers(first_freezes=[f"{boundary}:{number}" for number in AT])
        run.wait(run.start(window=6))
        quiet(target)
        settled(target)
        assert_kept(run, target.texts)
        assert run.freezes > 0


def test_lease_shorter_than_the_longest_wait_costs_nothing_but_empty_conversations() -> None:
    """A call waits many seconds for its permit, and its lease lasts one. On a slow machine some run out meanwhile."""
    with (
        foreign_target(Behaviour()) as target,
        run_at(target.url, count=12, sizes=(5,), lease_seconds=1, requests_per_minute=90) as run,
    ):
        run.start_workers()
        run.wait(run.start(window=12))
        assert_kept(run, target.texts)
        held = set(Conversation.objects.values_list("conversation_id", flat=True))
        former = set(FormerConversation.objects.values_list("conversation_id", flat=True))
        nobodys = set(target.rooms) - held - former
        assert [target.texts(name) for name in nobodys] == [[]] * len(nobodys)
        assert len(nobodys) <= OrphanConversation.objects.count()
