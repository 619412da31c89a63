from __future__ import annotations

import pytest

from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.tasks.breaker import PATIENCE_SECONDS, Breaker


def error(code: str) -> GatewayError:
    return GatewayError(code, f"It says {code}.", outcome=Outcome.NOTHING, permanent=False)


def failed(breaker: Breaker, code: str, *threads: int, now: float = 0.0) -> None:
    for thread in threads:
        breaker.failed(thread, error(code), now=now)


@pytest.mark.parametrize(
    "code",
    ["unauthorized", "forbidden", "quota_exhausted", "not_configured", "redirected", "create_unknown"],
)
def test_different_threads_that_fail_alike_trip_it_with_words_that_say_what_to_do(code: str) -> None:
    breaker = Breaker(3)
    failed(breaker, code, 1, 2)
    assert breaker.tripped(now=0) == ""
    failed(breaker, code, 3)
    reason = breaker.tripped(now=0)
    assert f"3 threads in a row failed with the same error ({code}): It says {code}." in reason
    assert "resume" in reason


def test_one_thread_that_fails_again_and_again_does_not_trip_it() -> None:
    breaker = Breaker(3)
    failed(breaker, "forbidden", 1, 1, 1, 1)
    assert not breaker.probing
    assert breaker.tripped(now=0) == ""


def test_a_success_between_begins_the_count_anew() -> None:
    breaker = Breaker(3)
    failed(breaker, "unauthorized", 1, 2)
    breaker.succeeded()
    failed(breaker, "unauthorized", 3, 4)
    assert breaker.tripped(now=0) == ""


def test_different_failures_are_not_alike() -> None:
    breaker = Breaker(3)
    failed(breaker, "unauthorized", 1, 2)
    failed(breaker, "server_error", 3)
    assert not breaker.probing


def test_what_speaks_of_the_thread_itself_is_not_counted() -> None:
    breaker = Breaker(2)
    failed(breaker, "not_found", 1, 2, 3)
    failed(breaker, "rate_limited", 1, 2, 3)
    assert not breaker.probing


def test_a_target_that_is_down_is_probed_first_and_only_a_lasting_outage_trips_it() -> None:
    breaker = Breaker(3)
    failed(breaker, "unreachable", 1, 2, 3, now=100.0)
    assert breaker.probing
    assert breaker.tripped(now=100.0) == ""
    failed(breaker, "unreachable", 4, now=100.0 + PATIENCE_SECONDS)
    assert f"for {PATIENCE_SECONDS:.0f} s (unreachable)" in breaker.tripped(now=100.0 + PATIENCE_SECONDS)


def test_a_probe_that_succeeds_ends_the_probing() -> None:
    breaker = Breaker(3)
    failed(breaker, "timeout", 1, 2, 3)
    breaker.succeeded()
    assert not breaker.probing
