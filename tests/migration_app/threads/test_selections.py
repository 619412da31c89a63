from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from migration_app.models import Conversation, Thread
from migration_app.threads.selections import (
    selection_of_filters,
    selection_of_pks,
    selection_threads,
    selection_totals,
    thread_search,
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


@pytest.mark.parametrize("text", ["thread_1", " conv_1 ", "user_7"])
def test_search_finds_by_exact_thread_conversation_or_user(thread: Thread, text: str) -> None:
    assert list(thread_search(Thread.objects.all(), text)) == [thread]


@pytest.mark.parametrize("text", ["thread", "conv_", "%", "\x00", "'; --"])
def test_search_finds_nothing_by_parts_or_patterns(thread: Thread, text: str) -> None:
    found = thread_search(Thread.objects.all(), text)
    assert found.count() == (2 if not text.strip("\x00") else 0)


def test_search_can_use_an_index_for_each_of_the_three(thread: Thread) -> None:
    query, params = thread_search(Thread.objects.all(), "conv_1").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan


def test_a_selection_survives_the_way_to_the_job_and_back(thread: Thread) -> None:
    assert list(selection_threads(selection_of_pks([thread.pk]))) == [thread]
    selection = selection_of_filters({"status__exact": "registered"}, search="user_7")
    assert list(selection_threads(selection)) == [thread]


def test_totals_of_nothing_are_zeros() -> None:
    totals = selection_totals(Thread.objects.none())
    assert (totals.threads, totals.calls, totals.payload_bytes) == (0, 0, 0)
