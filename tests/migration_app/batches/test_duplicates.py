"""A second start of the same work: recognised by what the starting page knew."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.batches.batches import batch_create
from migration_app.batches.duplicates import StartedBeforeError, batches_alike, newest_alike, selection_key
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch
from migration_app.threads.selections import selection_of_filters, selection_of_pks

pytestmark = pytest.mark.django_db
ADA, BO = Actor("ada"), Actor("bo")
ALL = selection_of_filters({})


def started(selection: dict[str, Any] = ALL, *, kind: str = "verify", known: int | None = 0) -> Batch:
    return batch_create(kind=kind, selection=selection, actor=ADA, reason="a test", known=known)


def test_a_second_start_from_what_was_known_before_the_first_names_the_first() -> None:
    first = started()
    with pytest.raises(StartedBeforeError) as refused:
        batch_create(kind="verify", selection=ALL, actor=BO, reason="the same", known=0)
    assert refused.value.batch == first
    assert (Batch.objects.count(), AuditEvent.objects.filter(verb="batch.verify_started").count()) == (1, 1)


def test_who_has_seen_the_first_may_start_another() -> None:
    first = started()
    assert newest_alike("verify", ALL) == first.pk
    second = started(known=first.pk)
    assert list(batches_alike("verify", ALL)) == [second, first]


def test_another_kind_or_another_selection_is_other_work() -> None:
    started()
    started(kind="backfill")
    started(selection_of_filters({"status__exact": "verified"}))
    started(selection_of_pks([1, 2]))
    assert Batch.objects.count() == 4


def test_commands_which_show_no_page_start_as_often_as_they_are_called() -> None:
    started(known=None)
    started(known=None)
    assert batches_alike("verify", ALL).count() == 2


def test_the_same_selection_has_the_same_key_whatever_its_order() -> None:
    one = selection_of_filters({"status__exact": "failed", "error_code__exact": "x"}, search="u")
    other = selection_of_filters({"error_code__exact": "x", "status__exact": "failed"}, search="u")
    assert selection_key("verify", one) == selection_key("verify", other)
    assert selection_key("verify", selection_of_pks([2, 1])) == selection_key(
        "verify", selection_of_pks([1, 2])
    )
