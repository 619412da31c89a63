"""Timestamps of every make."""

import datetime as dt

import pytest

from migration_app.archive.times import message_times, moment_of, seconds_of
from migration_app.contracts import JsonObject


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1702014088, 1702014088.0),
        ("1702014088", 1702014088.0),
        (1718480075059, 1718480075.059),
        (1718480075059000, 1718480075.059),
        (1702014088.5, 1702014088.5),
        ("2026-05-04T09:15:02Z", 1777886102.0),
        ("2026-05-04T09:15:02+02:00", 1777878902.0),
        ("2026-05-04 09:15:02", 1777886102.0),
        ("2026-05-04 09:15:02 UTC", 1777886102.0),
    ],
)
def test_known_forms_give_seconds(value: object, seconds: float) -> None:
    assert seconds_of(value) == seconds


@pytest.mark.parametrize(
    "value",
    [None, True, "", "yesterday", 0, -5, float("nan"), float("inf"), 10**30, [], "1e400", "0001-01-01"],
)
def test_what_tells_no_time_gives_none(value: object) -> None:
    assert seconds_of(value) is None


def test_moments_are_aware() -> None:
    assert moment_of(1702014088) == dt.datetime(2023, 12, 8, 5, 41, 28, tzinfo=dt.UTC)


def test_first_and_last_message_are_found_whatever_the_order() -> None:
    messages: list[JsonObject] = [{"created_at": 30}, {"created_at": None}, {"created_at": 10}]
    assert message_times(messages) == (moment_of(10), moment_of(30))


def test_messages_without_times_have_neither() -> None:
    assert message_times([{"created_at": "?"}]) == (None, None)
