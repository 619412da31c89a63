from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.models import Conversation, Thread
from migration_app.threads import search
from migration_app.threads.selections import (
    SelectionError,
    selection_of_filters,
    selection_of_pks,
    selection_threads,
    selection_totals,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread() -> Thread:
    found = Thread.objects.create(thread_id="thread_1", user_ref="user_7")
    Conversation.objects.create(
        thread=found, conversation_id="conv_1", state="open", intended_at=timezone.now()
    )
    Thread.objects.create(thread_id="thread_2", user_ref="user_8")
    return found


def test_a_selection_survives_the_way_to_the_job_and_back(thread: Thread) -> None:
    assert list(selection_threads(selection_of_pks([thread.pk]))) == [thread]
    selection = selection_of_filters({"status__exact": "registered"}, search="user_7")
    assert list(selection_threads(selection)) == [thread]


def test_what_a_search_for_a_part_finds_is_selected_one_by_one(thread: Thread) -> None:
    selection = selection_of_filters({"status__exact": "registered"}, search="ser_7")
    assert selection == {"ids": [thread.pk]}
    assert selection_of_filters({"status__exact": "verified"}, search="ser_7") == {"ids": []}


def test_a_part_that_more_threads_have_than_a_search_finds_selects_none(
    thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FOUND_UP_TO", 1)
    with pytest.raises(SelectionError, match="Type more of it"):
        selection_of_filters({}, search="thread_")


def test_totals_of_nothing_are_zeros() -> None:
    totals = selection_totals(Thread.objects.none())
    assert (totals.threads, totals.calls, totals.payload_bytes) == (0, 0, 0)
