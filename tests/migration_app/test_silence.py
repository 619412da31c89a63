"""Waits for a database that does not answer, in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection, transaction

from migration_app import silence

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(silence, "_patience", silence._Patience())
    connection.close()
    yield
    connection.close()
    monkeypatch.undo()
    with connection.cursor() as cursor:  # the server does not notice that nobody waits
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        )


def asked(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def test_an_answer_that_is_expected_sooner_ends_the_wait_and_the_connection() -> None:
    silence.answers_expected_within(0.3)
    with pytest.raises(OperationalError, match="does not answer"):
        asked(600)
    assert connection.connection.closed
    connection.close()
    asked(0)


def test_a_stop_ends_a_wait_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "STOPPED_SECONDS", 0.3)
    silence.stop_asked()
    with pytest.raises(OperationalError, match="does not answer"):
        asked(600)
    connection.close()
    silence.stop_over()
    asked(0.6)


def test_without_a_stop_or_a_limit_a_statement_takes_as_long_as_it_takes() -> None:
    asked(0.6)


def test_a_transaction_that_is_given_up_ends_without_another_wait() -> None:
    silence.answers_expected_within(0.3)
    with pytest.raises(OperationalError, match="does not answer"), transaction.atomic():
        asked(600)
    silence.answers_expected_within(30)
    asked(0)
