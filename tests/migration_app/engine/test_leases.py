from __future__ import annotations

import datetime as dt
import uuid

import pytest

from migration_app.engine import leases
from migration_app.engine.leases import LeaseKeeper
from migration_app.models import Thread

FIRST, SECOND = uuid.UUID(int=1), uuid.UUID(int=2)


def renewed(keeper: LeaseKeeper, monkeypatch: pytest.MonkeyPatch) -> dict[int, uuid.UUID]:
    """What the keeper would renew now."""
    seen: dict[int, uuid.UUID] = {}

    def renew(*, held: dict[int, uuid.UUID], lease: dt.timedelta) -> frozenset[int]:
        seen.update(held)
        return frozenset(held)

    monkeypatch.setattr(leases, "leases_renew", renew)
    keeper._renew(dict(keeper._held))
    return seen


def thread(token: uuid.UUID | None) -> Thread:
    return Thread(pk=7, thread_id="thread_7", lease_token=token)


def test_a_lease_is_renewed_until_its_holder_drops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)], asked_at=leases.now())
    assert renewed(keeper, monkeypatch) == {7: FIRST}
    keeper.drop(7, FIRST)
    assert renewed(keeper, monkeypatch) == {}


def test_who_drops_an_earlier_lease_leaves_the_later_one_of_the_same_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)], asked_at=leases.now())
    keeper.keep([thread(SECOND)], asked_at=leases.now())
    keeper.drop(7, FIRST)
    assert renewed(keeper, monkeypatch) == {7: SECOND}


def test_what_is_not_claimed_is_not_kept() -> None:
    with pytest.raises(ValueError, match="not claimed"):
        LeaseKeeper(dt.timedelta(seconds=60)).keep([thread(None)], asked_at=leases.now())


def test_a_lease_is_certain_for_its_length_from_before_it_was_asked_for_less_a_margin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 100.0
    monkeypatch.setattr(leases, "now", lambda: clock)
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)], asked_at=90.0)
    clock = 143.9
    assert keeper.holds(7, FIRST)
    clock = 144.1
    assert not keeper.holds(7, FIRST)
    monkeypatch.setattr(leases, "leases_renew", lambda held, lease: frozenset(held))  # noqa: ARG005
    keeper._renew({7: FIRST})
    assert keeper.holds(7, FIRST)
    assert not keeper.holds(7, SECOND)
    assert not keeper.holds(8, FIRST)


def test_a_renewal_that_found_the_lease_gone_makes_nothing_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(leases, "now", lambda: clock)
    monkeypatch.setattr(leases, "leases_renew", lambda held, lease: frozenset())  # noqa: ARG005
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)], asked_at=0.0)
    clock = 55.0
    keeper._renew({7: FIRST})
    assert not keeper.holds(7, FIRST)
