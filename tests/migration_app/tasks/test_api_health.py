"""What calls say about the two APIs, kept in memory and written now and then."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import InterfaceError
from django.utils import timezone

from migration_app.gateways.configured import target_connection
from migration_app.gateways.errors import GatewayError
from migration_app.models import ApiHealth, ApiMinute
from migration_app.tasks import api_health
from migration_app.tasks.api_health import ApiHealthLog
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db


def test_answers_and_failures_are_written_together_and_added_up() -> None:
    log = ApiHealthLog()
    observe = log.observer("target", "https://api.example.org/v1")
    for status, code in ((200, ""), (404, "not_found"), (429, "rate_limited"), (0, "unreachable")):
        observe(status, code)
    assert log.due()
    log.write()
    assert not log.due()
    observe(200, "")
    log.write()
    row = ApiHealth.objects.get()
    assert (row.api, row.failed_code) == ("target", "unreachable")
    assert row.accepted_at is not None
    assert row.failed_at is not None
    assert row.answered_at == row.accepted_at > row.failed_at
    sums = [
        sum(column)
        for column in zip(*ApiMinute.objects.values_list("calls", "throttled", "failed"), strict=True)
    ]
    assert sums == [5, 1, 1]


def test_the_newest_of_what_two_processes_saw_is_kept_whoever_writes_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = dt.datetime(2026, 9, 1, 8, 30, 30, tzinfo=dt.UTC)

    def seen(seconds: int, *calls: tuple[int, str]) -> None:
        log = ApiHealthLog()
        monkeypatch.setattr(timezone, "now", lambda: now + dt.timedelta(seconds=seconds))
        for status, code in calls:
            log.met("target", "https://api.example.org/v1", status, code)
        log.write()

    def kept() -> tuple[int, int, int, str]:
        row = ApiHealth.objects.get()
        moments = (row.answered_at, row.accepted_at, row.failed_at)
        seconds = [round((moment - now).total_seconds()) for moment in moments if moment]
        return seconds[0], seconds[1], seconds[2], row.failed_code

    seen(5, (200, ""), (429, ""), (500, "server_error"))
    assert kept() == (5, 5, 5, "server_error")
    seen(2, (200, ""), (429, ""), (0, "unreachable"))
    assert kept() == (5, 5, 5, "server_error")
    seen(9, (200, ""), (429, ""), (401, "unauthorized"))
    assert kept() == (9, 9, 9, "unauthorized")
    assert ApiMinute.objects.values_list("calls", "throttled", "failed").get() == (9, 3, 3)


def test_a_refused_key_is_an_answer_that_accepts_nothing() -> None:
    log = ApiHealthLog()
    log.met("target", "https://api.example.org/v1", 401, "unauthorized")
    log.write()
    row = ApiHealth.objects.get()
    assert row.accepted_at is None
    assert row.answered_at == row.failed_at
    assert row.failed_code == "unauthorized"


def test_a_database_that_refuses_the_figures_costs_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_args: Any) -> None:
        raise InterfaceError("the connection is closed")

    monkeypatch.setattr(api_health, "_write", refuses)
    log = ApiHealthLog()
    log.met("source", "https://old.example.org", 200, "")
    log.write()
    assert not ApiHealth.objects.exists()


def test_a_connection_tells_its_observer_of_answers_and_of_calls_without_one(
    sandbox: RunningSandbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[int, str]] = []

    async def calls() -> None:
        async with target_connection(
            timeout_seconds=5, observer=lambda status, code: met.append((status, code))
        ) as connection:
            await connection.post("/conversations", {})
            with pytest.raises(GatewayError):
                await connection.get("/conversations/conv_unknown")

    async def nobody_there() -> None:
        async with target_connection(
            timeout_seconds=5, observer=lambda status, code: met.append((status, code))
        ) as connection:
            with pytest.raises(GatewayError):
                await connection.post("/conversations", {})

    run(calls())
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    run(nobody_there())
    assert met == [(200, ""), (404, "not_found"), (0, "unreachable")]
