"""The bundled estate, backfilled by the engine itself and then reconciled as a whole: nothing differs."""

from __future__ import annotations

import pytest

from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from migration_app.reconciliation.records import reconciliation_create, totals
from migration_app.reconciliation.work import reconcile_work
from migration_app.tasks.connections import Connections
from tests.end_to_end.test_sample_estate import ACTOR, backfilled
from tests.sandbox import RunningSandbox

__all__ = ["backfilled"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)  # the engine writes on connections of its own


def _connection() -> Connection:
    return target_connection(timeout_seconds=10)


def test_what_the_engine_has_written_agrees_with_the_target_and_with_itself(
    backfilled: int, sandbox: RunningSandbox
) -> None:
    apis = Connections(source=_connection, target=_connection)
    for quick in (False, True):
        row = reconciliation_create(sample_size=None, quick=quick, actor=ACTOR)
        reconcile_work(pk=row.pk, actor=ACTOR, apis=apis)
        row.refresh_from_db()
        assert row.state == "finished", row.error_text
        assert [(found.code, found.claimed, found.found) for found in row.discrepancies.all()] == []
        assert totals(row)["looked"] > 200
