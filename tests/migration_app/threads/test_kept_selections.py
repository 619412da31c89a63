from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import KeptSelection
from migration_app.threads import kept_selections
from migration_app.threads.kept_selections import (
    KEPT_FOR,
    SelectionTooLargeError,
    selection_keep,
    selection_kept,
)

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def test_rows_are_found_again_by_a_short_key_and_for_their_own_model_only() -> None:
    key = selection_keep(model="thread", pks=[3, 1, 2], actor=ADA)
    assert len(key) <= 16
    assert selection_kept(model="thread", key=key) == [1, 2, 3]
    assert selection_kept(model="assistant", key=key) is None
    assert selection_kept(model="thread", key="another") is None


def test_a_selection_ends_after_its_time_and_the_next_one_deletes_it() -> None:
    key = selection_keep(model="thread", pks=[1], actor=ADA)
    KeptSelection.objects.update(created_at=timezone.now() - KEPT_FOR)
    assert selection_kept(model="thread", key=key) is None
    newer = selection_keep(model="thread", pks=[2], actor=ADA)
    assert list(KeptSelection.objects.values_list("key", flat=True)) == [newer]


def test_more_rows_than_are_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_selections, "MOST_KEPT", 2)
    with pytest.raises(SelectionTooLargeError, match="by a filter"):
        selection_keep(model="thread", pks=[1, 2, 3], actor=ADA)
    assert not KeptSelection.objects.exists()
