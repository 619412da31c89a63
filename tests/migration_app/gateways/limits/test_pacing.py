from __future__ import annotations

import pytest

from migration_app.gateways.limits.pacing import (
    LEAST_RATE,
    LONGEST_HOLD,
    Demand,
    Lowered,
    Told,
    bucket,
    duration,
    fair_share,
    group_size,
    lowered,
    told,
)


def hungry(batch: str, used: float = 0.0, *, urgent: bool = False) -> Demand:
    return Demand(batch, urgent, used, hungry=True)


def content(batch: str, used: float, *, urgent: bool = False) -> Demand:
    return Demand(batch, urgent, used, hungry=False)


@pytest.mark.parametrize("per_minute", [1, 7, 60, 500, 6000, 100_000])
def test_no_minute_gets_more_than_the_limit_and_hardly_less(per_minute: int) -> None:
    size = bucket(per_minute)
    most_in_a_minute = size.burst - 1 + size.rate
    assert most_in_a_minute <= per_minute
    assert size.rate >= per_minute * 0.97


@pytest.mark.parametrize("per_minute", [40, 500, 60_000])
def test_no_minute_gets_more_items_than_the_limit_though_twenty_come_at_once(per_minute: int) -> None:
    size = bucket(per_minute, largest=20)
    assert size.burst >= 20
    assert size.burst - 1 + size.rate <= per_minute


def test_a_burst_is_a_small_part_of_a_second() -> None:
    assert bucket(6000).burst <= 100 * 0.2
    assert group_size(6000) <= bucket(6000).burst


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (49, 1), (50, 2), (800, 2), (6000, 15)])
def test_two_come_at_once_from_where_the_margin_covers_it(per_minute: int, burst: int) -> None:
    assert bucket(per_minute).burst == burst


def test_a_batch_alone_has_no_share_to_keep_to() -> None:
    assert fair_share(600, [hungry("1"), hungry("1")], "1") is None


def test_batches_that_want_more_get_equal_shares_however_many_workers_they_have() -> None:
    demands = [hungry("1", 400), hungry("1", 100), hungry("2", 50)]
    assert fair_share(600, demands, "1") == fair_share(600, demands, "2") == 300


def test_what_a_modest_batch_leaves_goes_to_those_that_want_more() -> None:
    demands = [content("1", 40), hungry("2"), hungry("3")]
    assert fair_share(600, demands, "2") == fair_share(600, demands, "3") == (600 - 40 * 1.25) / 2


def test_a_modest_batch_may_grow_to_an_equal_share() -> None:
    assert fair_share(600, [content("1", 40), hungry("2"), hungry("3")], "1") == 200


def test_urgent_work_that_waits_gets_nine_tenths() -> None:
    demands = [hungry("1"), hungry("2"), hungry("3", urgent=True)]
    assert fair_share(600, demands, "3") == pytest.approx(540)
    assert fair_share(600, demands, "1") == pytest.approx(30)


def test_batches_that_are_all_urgent_share_as_others_do() -> None:
    assert fair_share(600, [hungry("1", urgent=True), hungry("2", urgent=True)], "1") == 300


def test_urgent_work_that_uses_little_is_left_room() -> None:
    assert fair_share(600, [hungry("1"), content("3", 0, urgent=True)], "1") == pytest.approx(540)


def test_a_refusal_lowers_the_rate_and_each_further_one_lowers_it_more() -> None:
    first = lowered(limit=600, known=None, peak=600, now=0)
    second = lowered(limit=600, known=first, peak=600, now=1)
    assert 600 > first.rate > second.rate
    assert second.ceiling == 600


def test_the_rate_never_falls_below_one_call_in_ten_seconds() -> None:
    known = None
    for now in range(40):
        known = lowered(limit=600, known=known, peak=600, now=now)
    assert known is not None
    assert known.rate == LEAST_RATE


def test_without_a_limit_the_rate_falls_from_what_was_used() -> None:
    assert lowered(limit=None, known=None, peak=1000, now=0).rate == pytest.approx(700)


def test_the_rate_comes_back_in_steps_up_to_the_limit() -> None:
    known = lowered(limit=600, known=None, peak=600, now=100)
    times = [100 + seconds for seconds in range(0, int(known.lasts()), 5)]
    rates = [known.rate_at(now) for now in times]
    assert rates == sorted(rate for rate in rates if rate is not None)
    assert rates[0] == pytest.approx(420)
    assert all(rate is not None and rate < 600 for rate in rates)
    assert known.rate_at(100 + known.lasts()) is None


def test_a_clock_that_was_set_back_ends_a_lowered_rate() -> None:
    assert Lowered(rate=10, ceiling=600, step=1, at=5000).rate_at(1000) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("17", 17), ("0.25", 0.25)],
)
def test_durations_are_read_as_servers_write_them(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "1s later", "s", "nan", "inf"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration(text) is None


def openai_headers(remaining: str, reset: str, limit: str = "500") -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": remaining,
        "x-ratelimit-reset-requests": reset,
    }


def test_nothing_remaining_holds_until_the_reset() -> None:
    assert told(openai_headers("0", "12.5s")).hold == 12.5


def test_a_hold_is_bounded() -> None:
    assert told(openai_headers("0", "23h")).hold == LONGEST_HOLD


def test_little_remaining_is_spread_until_the_reset() -> None:
    assert told(openai_headers("20", "30s")).pace == pytest.approx(40)


def test_enough_remaining_asks_for_nothing() -> None:
    assert told(openai_headers("499", "120ms")) == Told()


@pytest.mark.parametrize("prefix", ["x-ratelimit-", "ratelimit-"])
def test_other_gateways_headers_in_plain_seconds_are_read(prefix: str) -> None:
    headers = {f"{prefix}remaining": "0", f"{prefix}reset": "3", f"{prefix}limit": "60"}
    assert told(headers).hold == 3


@pytest.mark.parametrize(
    "headers",
    [
        {},
        openai_headers("many", "1s"),
        openai_headers("0", ""),
        openai_headers("0", "-3"),
        openai_headers("0", "1795306778"),
    ],
)
def test_headers_that_say_nothing_usable_ask_for_nothing(headers: dict[str, str]) -> None:
    assert told(headers) == Told()
