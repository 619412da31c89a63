from __future__ import annotations

import pytest

from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.models_list import models_list
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox


def test_models_are_listed_with_the_day_they_shut_down(
    target: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.seed([{"id": "local", "object": "model", "created": 1, "shutdown_date": 1_800_000_000}])
    listed = {model.id: model for model in run(models_list(target))}
    assert (listed["o4-mini"].shutdown_date, listed["gpt-4o"].shutdown_date) == ("2027-04-30", None)
    assert (listed["local"].shutdown_date, listed["local"].owned_by) == (1_800_000_000, "")


def test_a_list_that_is_none_is_unreadable(target: Connection, sandbox: RunningSandbox, run: Run) -> None:
    sandbox.control.add_fault("garbage", "GET .*/models")
    with pytest.raises(GatewayError) as caught:
        run(models_list(target))
    assert caught.value.code == "unreadable_answer"
