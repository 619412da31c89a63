from __future__ import annotations

import datetime as dt
import uuid

import pytest

from migration_app.backfill import leases
from migration_app.backfill.leases import LeaseKeeper
from migration_app.models import Thread

FIRST, SECOND = uuid.UUID(int=1), uuid.UUID(int=2)


def renewed(keeper: LeaseKeeper, monkeypatch: pytest.MonkeyPatch) -> dict[int, uuid.UUID]:
    """What the keeper would renew now."""
    seen: dict[int, uuid.UUID] = {}
    monkeypatch.setattr(leases, "leases_renew", lambda held, lease: seen.update(held))  # noqa: ARG005
    keeper._renew(dict(keeper._held))
    return seen


def thread(token: uuid.UUID | None) -> Thread:
    return Thread(pk=7, thread_id="thread_7", lease_token=token)


def test_a_lease_is_renewed_until_its_holder_drops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)])
    assert renewed(keeper, monkeypatch) == {7: FIRST}
    keeper.drop(7, FIRST)
    assert renewed(keeper, monkeypatch) == {}


def test_who_drops_an_earlier_lease_leaves_the_later_one_of_the_same_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keeper = LeaseKeeper(dt.timedelta(seconds=60))
    keeper.keep([thread(FIRST)])
    keeper.keep([thread(SECOND)])
    keeper.drop(7, FIRST)
    assert renewed(keeper, monkeypatch) == {7: SECOND}


def test_what_is_not_claimed_is_not_kept() -> None:
    with pytest.raises(ValueError, match="not claimed"):
        LeaseKeeper(dt.timedelta(seconds=60)).keep([thread(None)])
