"""A preflight written down."""

from __future__ import annotations

import pytest

from migration_app.batches import preflight as preflight_module
from migration_app.batches.preflight import preflight_of
from migration_app.batches.preflight_report import HEADER, preflight_command, preflight_rows
from migration_app.contracts import Policies
from migration_app.models import Thread
from migration_app.threads.selections import selection_of_filters

pytestmark = pytest.mark.django_db
ALL = selection_of_filters({})


def test_every_row_has_as_many_cells_as_the_header() -> None:
    Thread.objects.create(thread_id="thread_1", status="snapshotted", finding_counts={"message_empty": 2})
    Thread.objects.create(thread_id="thread_2", status="verified")
    rows = list(preflight_rows(preflight_of(ALL, "backfill")))
    assert {len(row) for row in rows} == {len(HEADER)}
    assert {row[0] for row in rows} == {
        "figures",
        "policy",
        "total",
        "left_out",
        "fidelity",
        "finding",
        "longest",
    }


def test_a_kind_that_converts_nothing_has_no_policies() -> None:
    rows = list(preflight_rows(preflight_of(ALL, "exclude")))
    assert rows[0] == ("figures", "exact", "from the last assessments", "", "")
    assert not any(row[0] == "policy" for row in rows)


def test_figures_that_are_not_those_of_the_policies_chosen_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_module, "CONVERTED_THREADS", 0)
    Thread.objects.create(
        thread_id="thread_1", status="snapshotted", finding_counts={"image_on_assistant": 2}
    )
    found = preflight_of(ALL, "backfill", Policies(assistant_images="block"), limited=True)
    text = "NOT under assistant_images=block: 1 threads would have to be converted"
    assert next(preflight_rows(found)) == ("figures", "last_assessment", text, "", "")


def test_words_of_a_search_are_quoted_for_the_shell() -> None:
    selection = {"filters": {}, "search": "x; rm -rf ~"}
    command = preflight_command(selection, "backfill", Policies())
    assert command == "manage.py preflight --all '--search=x; rm -rf ~'"
