"""A silent database, and clocks that are minutes apart: leases and doubts must not go by what they say."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from migration_app.models import Thread
from tests.chaos.silence import SilentProxy, silent_proxy
from tests.end_to_end.black_box import TIMEOUT_SECONDS, assert_kept, quiet, run_at, settled
from tests.end_to_end.foreign_target import Behaviour, foreign_target

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.black_box,
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

MINUTES = 5 * 60.0
_CLOCKS = ("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp")


def database_url() -> str:
    database = settings.DATABASES["default"]
    name = connection.settings_dict["NAME"]
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{name}"
    )


@pytest.fixture
def silent() -> Iterator[tuple[SilentProxy, str]]:
    with silent_proxy(database_url()) as proxy:
        yield proxy


@pytest.mark.parametrize("forgets", [False, True], ids=["comes_back", "forgets_its_connections"])
@pytest.mark.parametrize("behind", ["one_worker", "both_workers"])
def test_database_that_falls_silent_past_the_lease_leaves_nothing_twice(
    behind: str, forgets: bool, silent: tuple[SilentProxy, str]
) -> None:
    proxy, through = silent
    with (
        foreign_target(Behaviour(latency_seconds=0.05)) as target,
        run_at(
            target.url, count=20, lease_seconds=3, DATABASE_URL=through, DATABASE_ANSWER_SECONDS="3"
        ) as run,
    ):
        if behind == "one_worker":
            run.workers.start(DATABASE_URL=database_url())
        else:
            run.workers.start()
        run.start_workers(1, alive=2)
        batch = run.start(window=8)
        run.workers.wait_until(lambda: target.requests >= 20, seconds=60, what="appends under way")
        proxy.silence()
        time.sleep(9)
        proxy.speak(forget=forgets)
        run.wait(batch)
        quiet(target)
        settled(target)
        assert_kept(run, target.texts)


@pytest.fixture
def database_clock() -> Iterator[None]:
    """PostgreSQL's clock, as SQL sees it, five minutes ahead of this machine's and of Redis'."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS wrong_clock")
        for clock in _CLOCKS:
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION wrong_clock.{clock}() RETURNS timestamptz LANGUAGE sql STABLE AS "
                f"$$ SELECT pg_catalog.{clock}() + interval '{MINUTES} seconds' $$"
            )
        # Named before pg_catalog, which is searched first only where nobody names it.
        cursor.execute(f"ALTER DATABASE {name} SET search_path = wrong_clock, pg_catalog, public")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET search_path")
        cursor.execute("DROP SCHEMA wrong_clock CASCADE")
    connection.close()


@pytest.mark.usefixtures("database_clock")
def test_clocks_of_workers_database_and_redis_minutes_apart_cost_nothing() -> None:
    with (
        foreign_target(Behaviour(late_appends=0.1, late_seconds=4.0)) as target,
        run_at(target.url, count=20, lease_seconds=5, requests_per_minute=600) as run,
    ):
        for clock in (-2 * MINUTES, 3 * MINUTES):
            run.workers.start(clock=clock)
        run.wait(run.start(window=8))
        settled(target)
        assert_kept(run, target.texts)
        assert Thread.objects.filter(lease_token__isnull=False).count() == 0
