from __future__ import annotations

import datetime as dt

import pytest

from migration_app.contracts import Actor
from migration_app.gateways.models_list import ListedModel
from migration_app.models import TargetModel
from migration_app.readiness.target_models import (
    ModelProblem,
    model_problem,
    models_to_choose,
    shutdown_day,
    target_models_record,
    today,
)

ADA = Actor("ada")
DAY = dt.date(2027, 4, 30)
ON = dt.date(2026, 12, 1)


def listed(name: str, shutdown: object = None) -> ListedModel:
    return ListedModel(name, "vendor", 1_700_000_000, shutdown)


def record(*models: ListedModel) -> None:
    target_models_record(listed=models, actor=ADA)


def judged(name: str, on: dt.date = ON) -> ModelProblem | None:
    return model_problem(name, TargetModel.objects.filter(model_id=name).first(), looked=True, on=on)


@pytest.mark.parametrize(
    "value",
    [
        "2027-04-30",
        " 2027-04-30 ",
        "2027-04-30T23:59:00Z",
        "2027-04-30T12:00:00+02:00",
        "20270430",
        "April 30, 2027",
        "30 Apr 2027",
        "Fri, 30 Apr 2027 10:00:00 GMT",
        1_809_100_000,
        1_809_100_000_000,
        "1809100000",
    ],
)
def test_a_shutdown_date_is_read_as_servers_write_it(value: object) -> None:
    assert shutdown_day(value) == DAY


@pytest.mark.parametrize("value", [None, "", "soon", 0, True, {"date": "2027-04-30"}, "9" * 400])
def test_what_is_no_date_is_none(value: object) -> None:
    assert shutdown_day(value) is None


@pytest.mark.django_db
def test_a_model_that_leaves_the_list_stays_known_as_gone() -> None:
    record(listed("old"), listed("new"))
    record(listed("new"))
    problem = judged("old")
    assert problem is not None
    assert (problem.code, problem.severity) == ("model_gone", "error")
    assert judged("new") is None


@pytest.mark.django_db
def test_a_model_is_judged_by_its_shutdown_date() -> None:
    record(
        listed("a", "2026-12-01"), listed("b", "2027-03-01"), listed("c", "2027-03-02"), listed("d", "soon")
    )
    codes = [problem.code if (problem := judged(name)) else "" for name in "abcd"]
    assert codes == ["model_shut_down", "model_near_its_end", "", "shutdown_date_unreadable"]


@pytest.mark.django_db
def test_a_date_that_is_put_off_is_believed() -> None:
    record(listed("a", "2026-12-02"))
    record(listed("a", "2028-12-02"))
    assert judged("a") is None


@pytest.mark.django_db
def test_names_that_can_be_no_model_are_told_apart() -> None:
    assert model_problem("", None, looked=True, on=ON).code == "model_missing"  # type: ignore[union-attr] # None would fail too
    assert model_problem("x", None, looked=True, on=ON).code == "model_unknown"  # type: ignore[union-attr] # as above
    assert model_problem("x", None, looked=False, on=ON).severity == "unknown"  # type: ignore[union-attr] # as above


@pytest.mark.django_db
def test_only_models_that_stay_can_be_chosen() -> None:
    near = (today() + dt.timedelta(days=30)).isoformat()
    record(listed("gone"), listed("stays"))
    record(listed("stays"), listed("near", near), listed("hostile\x00"))
    assert [model.model_id for model in models_to_choose()] == ["stays"]
