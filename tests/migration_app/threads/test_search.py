from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from migration_app import index_walks
from migration_app.index_walks import estimated
from migration_app.models import Conversation, FormerConversation, Thread
from migration_app.threads import search
from migration_app.threads.search import thread_search, threads_by_part

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread() -> Thread:
    found = Thread.objects.create(thread_id="thread_abcdefGHIJ12", user_ref="Anna.Meyer@example.com")
    Conversation.objects.create(
        thread=found, conversation_id="conv_0a1b2c3d", state="open", intended_at=timezone.now()
    )
    FormerConversation.objects.create(
        thread=found, conversation_id="conv_9z8y7x6w", outcome="left", actor="ada"
    )
    other = Thread.objects.create(thread_id="thread_zyxwvuTSRQ98", user_ref="bob@example.org")
    Conversation.objects.create(
        thread=other, conversation_id="conv_ffffffff", state="open", intended_at=timezone.now()
    )
    return found


def found_by(text: str) -> list[Thread]:
    return list(thread_search(Thread.objects.all(), text))


@pytest.mark.parametrize(
    "text",
    ["thread_abcdefGHIJ12", " conv_0a1b2c3d ", "conv_9z8y7x6w", "Anna.Meyer@example.com"],
)
def test_a_thread_is_found_by_its_ids_a_former_conversation_and_its_user(thread: Thread, text: str) -> None:
    assert found_by(text) == [thread]


@pytest.mark.parametrize(
    "text",
    [
        "thread_abc",
        "GHIJ12",
        "thread_abc…IJ12",
        "thread_abc...IJ12",
        "thread_abc*IJ12",
        "…GHIJ12",
        "conv_0a1",
        "conv_9z8y",
        "conv_0a1…2c3d",
        "abcdefG",
        "abcd…IJ12",
        "0a1b",
        "9z8y7x6",
        "0a1b…2c3d",
        "anna",
        "MEYER@",
    ],
)
def test_a_thread_is_found_by_a_part_of_what_it_is_called(thread: Thread, text: str) -> None:
    assert found_by(text) == [thread]


def test_a_whole_id_or_user_finds_nothing_that_only_contains_it(thread: Thread) -> None:
    same = Thread.objects.create(thread_id="thread_1", user_ref="bob@example.org.uk")
    assert same not in found_by("bob@example.org")
    assert same in found_by("bob@example.or")


@pytest.mark.parametrize(
    "text", ["%", "_bcd", "thr", "' OR", "'; --", "ab%ef", "thread_x…IJ12", "…", "*", "cdef"]
)
def test_patterns_short_parts_and_other_texts_find_nothing(thread: Thread, text: str) -> None:
    assert found_by(text) == []


def test_no_text_is_no_search(thread: Thread) -> None:
    assert len(found_by(" \x00")) == 2


@pytest.mark.parametrize("text", ["thread_", "example", "conv_"])
def test_more_matches_than_are_shown_are_said(
    thread: Thread, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not threads_by_part(text).more
    monkeypatch.setattr(search, "FOUND_UP_TO", 1)
    parts = threads_by_part(text)
    assert parts.more
    assert len(parts.pks) == 1


def test_a_text_that_nearly_all_users_have_is_searched_among_the_newest_threads(
    thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_TOO_MANY", 0)
    monkeypatch.setattr(index_walks, "SCANNED_AT_ONCE", 1)
    parts = threads_by_part("example")
    assert parts.more
    assert thread.pk not in parts.pks
    assert len(parts.pks) == 1


_MANY = """
    WITH made AS (
        INSERT INTO migration_app_thread
            (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count, payload_bytes,
             finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at)
        SELECT 'thread_' || md5(n::text), md5((n * 7)::text), 'verified', 'exact', 0, 0, 0, 0, 0, '{}', '', '', 0, '',
               now(), now()
        FROM generate_series(1, 20000) AS n RETURNING id, thread_id
    )
    INSERT INTO migration_app_conversation
        (thread_id, conversation_id, state, item_count, fingerprint, policies, policies_version, replacements,
         create_request_id, intended_at)
    SELECT id, 'conv_' || md5(id::text), 'open', 0, '', '{}', 1, '[]', '', now() FROM made
"""


@pytest.fixture
def many(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
        cursor.execute("ANALYZE")


@pytest.mark.parametrize(
    "text", ["thread_ab12", "7f3e9", "thread_ab…12cd", "conv_ab12", "e4da3b7f", "ab12…12cd"]
)
def test_a_search_reads_no_table_from_its_beginning(
    many: None, text: str, plans: Callable[[CaptureQueriesContext], str]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(thread_search(Thread.objects.all(), text))
    found = plans(queries)
    assert "Index" in found
    assert "Seq Scan on migration_app_thread" not in found
    assert "Seq Scan on migration_app_conversation" not in found


def test_how_many_users_have_a_text_is_known_before_it_is_searched(many: None) -> None:
    """Of 20,000 users nearly each has a "c". PostgreSQL knows that only by statistics made for it."""
    users = Thread.objects.exclude(user_ref="").annotate(user=Upper("user_ref"))
    assert estimated(users.filter(user__contains="C")) > 10_000
    assert estimated(users.filter(user__contains="NOBODY-IS-CALLED-SO")) < 1_000


@pytest.fixture
def plans() -> Callable[[CaptureQueriesContext], str]:
    """The plans of the statements that read something."""

    def explain(queries: CaptureQueriesContext) -> str:
        found = []
        with connection.cursor() as cursor:
            for query in list(queries):
                if query["sql"].startswith("SELECT"):
                    cursor.execute(f"EXPLAIN {query['sql']}")
                    found.append("\n".join(row[0] for row in cursor.fetchall()))
        return "\n\n".join(found)

    return explain
