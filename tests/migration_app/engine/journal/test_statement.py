"""How seldom the journal's statement is planned. What it does is in ``test_entries``."""

from __future__ import annotations

import types

import pytest
from django.db import connection

from migration_app.contracts import Actor
from migration_app.engine.journal import statement
from migration_app.engine.journal.statement import documents_apply

ACTOR = Actor("ada")


class Raw:
    """A connection of the driver's that notes what it is asked."""

    def __init__(self) -> None:
        self.prepare_threshold: int | None = None
        self.asked: list[str] = []

    def execute(self, query: str) -> None:
        """Note it."""
        self.asked.append(query)


@pytest.mark.django_db
def test_a_group_of_threads_that_go_forward_has_a_shorter_statement_and_both_are_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests rolled back what the connection was told.
    monkeypatch.setattr(statement, "_PLAN_SECONDS", 0.0)
    for asked in ({"thread", "intent", "set"}, {"thread", "orphan"}):
        for _ in range(2):
            assert documents_apply("[]", asked, ACTOR) == {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement LIKE '%orphancon%', generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%held AS MATERIALIZED%' ORDER BY 1"
        )
        assert cursor.fetchall() == [(False, 2, 0), (True, 2, 0)]
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)


def test_plans_are_kept_for_a_second_and_then_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 1000.0}
    monkeypatch.setattr(statement, "time", types.SimpleNamespace(monotonic=lambda: clock["now"]))
    raw, other = Raw(), Raw()
    for at in (1000.0, 1000.9, 1001.1, 1001.2, 1003.0):
        clock["now"] = at
        statement._keep_plans(raw)  # type: ignore[arg-type]  # as much of a connection as it uses
    assert len(raw.asked) == 3
    assert all(query.endswith("DISCARD PLANS") for query in raw.asked)
    assert raw.prepare_threshold is not None
    statement._keep_plans(other)  # type: ignore[arg-type]  # as above
    assert len(other.asked) == 1
