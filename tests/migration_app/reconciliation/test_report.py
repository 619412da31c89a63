from __future__ import annotations

import csv

import pytest

from migration_app.contracts import Actor
from migration_app.csv_files import csv_lines
from migration_app.models import Reconciliation
from migration_app.reconciliation.kinds import Examined, Found
from migration_app.reconciliation.records import (
    RECONCILIATIONS,
    Checkpoint,
    reconciliation_create,
    step_record,
)
from migration_app.reconciliation.report import (
    HEADER,
    check_rows,
    csv_rows,
    json_rows,
    kind_rows,
    report_json,
)
from tests.factories import ThreadFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Reconciliation:
    made = RECONCILIATIONS.claim(
        reconciliation_create(checks=["orphans", "target", "live"], sample_size=5, actor=Actor("ada")).pk
    )
    assert made is not None
    thread = ThreadFactory.create(thread_id="=thread")
    step_record(
        made,
        checkpoint=Checkpoint("orphans", 1),
        looked=Examined(1, (Found("orphans_open", subject="orphan ledger"),)),
    )
    step_record(
        made,
        checkpoint=Checkpoint("target", 5),
        looked=Examined(5, (Found("difference", thread.pk, claimed="3 items", found="-1 items"),)),
    )
    return made


def test_each_check_tells_what_it_looked_at_and_one_not_reached_tells_nothing(row: Reconciliation) -> None:
    told = [(check.name, check.looked, check.errors, check.information) for check in check_rows(row)]
    assert told == [("orphans", 1, 0, 1), ("target", 5, 1, 0), ("live", 0, 0, 0)]


def test_the_worst_kinds_come_first_with_what_to_do(row: Reconciliation) -> None:
    kinds = kind_rows(row)
    assert [(kind.code, kind.severity, kind.count) for kind in kinds] == [
        ("difference", "error", 1),
        ("orphans_open", "information", 1),
    ]
    assert kinds[0].advice.startswith("Send the thread to review")


def test_csv_holds_every_discrepancy_with_formulas_made_safe(row: Reconciliation) -> None:
    header = "check,code,severity,thread_id,subject,claimed,found,what_to_do"
    lines = list(csv_lines(HEADER, csv_rows(row)))
    assert lines[0].strip() == header
    rows = list(csv.DictReader(lines))
    assert [line["code"] for line in rows] == ["orphans_open", "difference"]
    assert (rows[1]["thread_id"], rows[1]["found"]) == ("'=thread", "'-1 items")
    assert [line[1] for line in csv_rows(row, severity="error")] == ["difference"]
    assert [line[1] for line in csv_rows(row, code="orphans_open")] == ["orphans_open"]


def test_json_says_the_same(row: Reconciliation) -> None:
    report = report_json(row)
    assert report["totals"]["error"] == 1
    assert report["scope"] == "a sample of 5"
    assert [line["thread_id"] for line in json_rows(row)] == ["", "=thread"]
