from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migration_app import index_walks
from migration_app.admin.base import paging
from migration_app.counters import counters_fold
from migration_app.models import AuditEvent, SourceObject, Thread
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import (
    batch_made,
    conversation_made,
    object_made,
    thread_made,
    threads_made,
)

THREADS = "/admin/migration_app/thread/"
CONVERSATIONS = "/admin/migration_app/conversation/"
AUDIT = "/admin/migration_app/auditevent/"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists count to 100 and look through 100 at a time: two pages of 50 from either end."""
    monkeypatch.setattr(paging, "COUNTED_UP_TO", 100)
    monkeypatch.setattr(index_walks, "SCANNED_AT_ONCE", 100)


def shown(response: Any) -> list[int]:
    return [row.pk for row in response.context["cl"].result_list]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def labels(response: Any) -> list[str]:
    return [link.label for link in response.context["cl"].page_links()]


def events_made(count: int, **fields: Any) -> list[AuditEvent]:
    plain = {"actor": "ada", "verb": "thread.queued", "subject_kind": "thread", "subject_id": "t"}
    return AuditEvent.objects.bulk_create(AuditEvent(**{**plain, **fields}) for _ in range(count))


# --- what the counters know ---------------------------------------------------------------------------


def test_threads_are_told_exactly_and_every_page_in_reach_shows_its_own_rows(
    small: None, log_in: LogIn
) -> None:
    client = log_in("viewer")
    newest_first = [thread.pk for thread in threads_made(130)][::-1]
    assert "130 threads" in text(client.get(THREADS))
    found = [pk for number in (1, 2, 3) for pk in shown(client.get(THREADS, {"p": str(number)}))]
    assert found == newest_first
    assert shown(client.get(THREADS, {"p": -1})) == newest_first[100:]


def test_a_list_that_fills_one_page_offers_no_other(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    threads_made(50)
    assert labels(client.get(THREADS)) == []
    threads_made(1)
    assert labels(client.get(THREADS)) == ["1", "2"]


def test_pages_far_from_both_ends_are_not_offered_and_lead_to_the_nearest(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    newest_first = [thread.pk for thread in threads_made(330)][::-1]
    assert labels(client.get(THREADS)) == ["1", "2", "…", "6", "7"]
    assert shown(client.get(THREADS, {"p": 6})) == newest_first[250:300]
    assert shown(client.get(THREADS, {"p": 7})) == newest_first[300:]
    refused = client.get(THREADS, {"p": 3})
    assert shown(refused) == newest_first[50:100]
    assert "Pages 3 to 5 can&#x27;t be opened by number" in text(refused)


@pytest.mark.parametrize("page", ["0", "4", "-4", "99999999999999999999"])
def test_a_page_that_there_is_not_leads_back_to_the_list(page: str, small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    threads_made(130)
    assert client.get(THREADS, {"p": page}).status_code == 302


def test_a_list_of_nothing_asks_for_no_rows(log_in: LogIn) -> None:
    client = log_in("viewer")
    thread_made(status="failed")
    with CaptureQueriesContext(connection) as queries:
        assert shown(client.get(THREADS, {"status__exact": "verified", "fidelity__exact": "lossy"})) == []
    assert [query["sql"] for query in queries if 'FROM "migration_app_thread"' in query["sql"]] == []


def test_short_lists_can_be_shown_whole(log_in: LogIn) -> None:
    threads_made(60)
    assert len(shown(log_in("viewer").get(THREADS, {"all": ""}))) == 60


# --- what is counted up to a bound --------------------------------------------------------------------


def test_further_rows_than_are_counted_are_said_and_reached_from_the_end(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    newest_first = [conversation_made().pk for _ in range(130)][::-1]
    first = client.get(CONVERSATIONS)
    assert "more than 100 conversations" in text(first)
    assert labels(first) == ["1", "2", "…", "last"]
    assert shown(client.get(CONVERSATIONS, {"p": -1})) == newest_first[80:]
    before = client.get(CONVERSATIONS, {"p": -2})
    assert shown(before) == newest_first[30:80]
    assert labels(before) == ["1", "2", "…", "last − 1", "last"]
    assert client.get(CONVERSATIONS, {"p": 3}).status_code == 302
    assert shown(client.get(CONVERSATIONS, {"p": "-1", "state__exact": "open"})) == newest_first[80:]


def test_a_list_that_fits_its_bound_is_told_exactly(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    for _ in range(100):
        conversation_made()
    response = client.get(CONVERSATIONS, {"p": 2})
    assert "100 conversations" in text(response)
    assert labels(response) == ["1", "2"]
    assert len(shown(response)) == 50


def test_all_that_match_can_be_selected_in_a_list_that_is_not_counted_to_its_end(
    small: None, log_in: LogIn
) -> None:
    client = log_in("operator")
    threads_made(130, status="snapshotted", finding_counts={"message_empty": 1})
    page = text(client.get(THREADS))
    assert "Select all 130 threads" in page


# --- what is looked through ---------------------------------------------------------------------------


def test_filters_that_no_index_holds_together_are_looked_through_piece_by_piece(
    small: None, log_in: LogIn
) -> None:
    client = log_in("viewer")
    old = threads_made(3, status="failed", fidelity="lossy")
    threads_made(120, status="failed", fidelity="exact")
    new = threads_made(2, status="failed", fidelity="lossy")
    threads_made(120, fidelity="lossy")
    batch = batch_made()
    Thread.objects.update(batch=batch)
    # By the counters no set is small: failed 125, lossy 125, the batch all.
    query = {"status__exact": "failed", "fidelity__exact": "lossy", "batch__id__exact": str(batch.pk)}
    response = client.get(THREADS, query)
    assert shown(response) == [thread.pk for thread in new[::-1]]
    assert "at least 2 threads among the newest that were searched" in text(response)
    further = client.get(THREADS + response.context["cl"].further_url())
    assert shown(further) == [thread.pk for thread in old[::-1]]
    assert "3 threads" in text(further)


def test_where_one_filter_leaves_few_threads_all_matches_are_found(small: None, log_in: LogIn) -> None:
    wanted = thread_made(status="failed", fidelity="lossy")
    threads_made(150, fidelity="lossy")
    response = log_in("viewer").get(THREADS, {"status__exact": "failed", "fidelity__exact": "lossy"})
    assert shown(response) == [wanted.pk]
    assert "were searched" not in text(response)


def test_a_rare_finding_is_found_wherever_it_is(small: None, log_in: LogIn) -> None:
    wanted = thread_made(finding_counts={"object_conflict": 1})
    threads_made(150, finding_counts={"message_empty": 1})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    assert shown(log_in("viewer").get(THREADS, {"finding__exact": "object_conflict"})) == [wanted.pk]


def test_a_frequent_finding_is_looked_through_from_the_newest_thread_on(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    newest_first = [thread.pk for thread in threads_made(250, finding_counts={"message_empty": 1})][::-1]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    response = client.get(THREADS, {"finding__exact": "message_empty", "p": "2"})
    assert shown(response) == newest_first[50:100]
    assert labels(response) == ["1", "2"]
    further = client.get(THREADS + response.context["cl"].further_url())
    assert shown(further) == newest_first[100:150]
    second = next(link.url for link in further.context["cl"].page_links() if link.label == "2")
    assert shown(client.get(THREADS + second)) == newest_first[150:200]
    assert 'name="below"' not in further.content.decode()


def test_the_audit_trail_is_looked_through_for_a_verb_in_a_batch(small: None, log_in: LogIn) -> None:
    client = log_in("viewer")
    (old,) = events_made(1, verb="thread.failed", batch_pk=7)
    events_made(120, batch_pk=7)
    events_made(5, verb="thread.failed", batch_pk=8)
    response = client.get(AUDIT, {"verb__exact": "thread.failed", "batch_pk__exact": "7"})
    assert shown(response) == []
    assert shown(client.get(AUDIT + response.context["cl"].further_url())) == [old.pk]


@pytest.mark.parametrize("below", ["x", "-1", "9" * 30])
def test_a_place_to_go_on_from_that_cannot_be_read_is_ignored(below: str, small: None, log_in: LogIn) -> None:
    thread_made(status="failed", fidelity="lossy")
    query = f"?status__exact=failed&fidelity__exact=lossy&below={below}"
    assert len(shown(log_in("viewer").get(THREADS + query))) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"batch__id__exact": "9" * 30},
        {"batch__id__exact": "9" * 30, "status__exact": "failed"},
        {"batch__id__exact": "9" * 30, "fidelity__exact": "lossy"},
        {"assistant__id__exact": "9" * 30, "fidelity__exact": "lossy"},
    ],
    ids=str,
)
def test_a_number_that_no_row_can_have_finds_nothing(query: dict[str, str], log_in: LogIn) -> None:
    thread_made(status="failed", fidelity="lossy")
    client = log_in("operator")
    assert shown(client.get(THREADS, query)) == []
    assert client.get(f"{THREADS}act/backfill/", query).status_code == 200


# --- plans ----------------------------------------------------------------------------------------------


def plans_of(client: Any, url: str, query: dict[str, str], tables: tuple[str, ...]) -> str:
    """The plans of every statement of a page that reads one of these tables."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url, query).status_code == 200
    found = []
    with connection.cursor() as cursor:
        for query_ in queries:
            sql = query_["sql"]
            if sql.startswith(("SELECT", "WITH")) and any(f'"{table}"' in sql for table in tables):
                cursor.execute(f"EXPLAIN {sql}")
                found.append(sql + "\n" + "\n".join(row[0] for row in cursor.fetchall()))
    return "\n\n".join(found)


# The older half is verified, with open conversations, as no index by key alone would find soon.
_ESTATE = """
    WITH made AS (
        INSERT INTO migration_app_thread
            (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count, payload_bytes,
             finding_counts, error_code, error_text, attempts, pending_work, batch_id, created_at, updated_at)
        SELECT 't' || lpad(n::text, 5, '0'), '', CASE WHEN n < 3000 THEN 'verified' ELSE 'snapshotted' END,
               CASE WHEN n %% 3 = 0 THEN 'lossy' ELSE 'exact' END, 0, 0, 0, 0, 0, '{}',
               CASE WHEN n < 1000 THEN 'timeout' ELSE '' END, '', 0, '', %s, now(), now()
        FROM generate_series(0, 5999) AS n RETURNING id, thread_id
    )
    INSERT INTO migration_app_conversation
        (thread_id, conversation_id, state, item_count, fingerprint, policies, policies_version, replacements,
         create_request_id, intended_at)
    SELECT id, 'c' || id, CASE WHEN thread_id < 't03000' THEN 'open' ELSE 'complete' END, 0, '', '{}', 1, '[]', '',
           now()
    FROM made ORDER BY id
"""


@pytest.fixture
def large_estate(db: None) -> Callable[[], None]:
    def make() -> None:
        batch = batch_made()
        with connection.cursor() as cursor:
            cursor.execute(_ESTATE, [batch.pk])
        events_made(3000, batch_pk=batch.pk)
        events_made(3000, verb="thread.verified")
        counters_fold()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    return make


@pytest.mark.parametrize(
    ("url", "query"),
    [
        (THREADS, {}),
        (THREADS, {"p": "-1"}),
        (THREADS, {"status__exact": "verified"}),
        (THREADS, {"status__exact": "snapshotted", "p": "-1"}),
        (THREADS, {"fidelity__exact": "lossy", "p": "20"}),
        (THREADS, {"error_code__exact": "timeout"}),
        (THREADS, {"status__exact": "verified", "fidelity__exact": "lossy"}),
        (THREADS, {"q": "t00017"}),
        (THREADS, {"q": "t0001"}),
        (THREADS, {"q": "0017"}),
        (THREADS, {"o": "show_id"}),
        (THREADS, {"o": "-show_id", "p": "-1"}),
        (THREADS, {"o": "-show_status"}),
        (THREADS, {"error_code__exact": "timeout", "o": "show_updated"}),
        (CONVERSATIONS, {"o": "show_state"}),
        (AUDIT, {"o": "show_at"}),
        (AUDIT, {"o": "-show_action", "p": "-1"}),
        (CONVERSATIONS, {"state__exact": "open"}),
        (CONVERSATIONS, {"state__exact": "open", "p": "-1"}),
        (CONVERSATIONS, {"q": "t00017"}),
        (AUDIT, {"verb__exact": "thread.queued"}),
        (AUDIT, {"verb__exact": "thread.queued", "p": "-1"}),
        (AUDIT, {"at_from": "2020-01-01"}),
        (AUDIT, {}),
    ],
    ids=str,
)
def test_no_page_of_a_list_reads_a_table_from_its_beginning_or_sorts_it(
    url: str,
    query: dict[str, str],
    large_estate: Callable[[], None],
    log_in: LogIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paging, "COUNTED_UP_TO", 1000)
    monkeypatch.setattr(index_walks, "SCANNED_AT_ONCE", 1000)
    large_estate()
    tables = ("migration_app_thread", "migration_app_conversation", "migration_app_auditevent")
    plans = plans_of(log_in("viewer"), url, query, tables)
    assert plans
    for table in tables:
        assert f"Seq Scan on {table}" not in plans
    assert "HashAggregate" not in plans
    assert "GroupAggregate" not in plans


def test_source_objects_are_searched_by_an_index_that_begins_with_the_kind(log_in: LogIn) -> None:
    wanted = object_made(object_id="file-x")
    object_made(kind="assistant", object_id="file-y")
    response = log_in("viewer").get("/admin/migration_app/sourceobject/", {"q": "file-x"})
    assert shown(response) == [wanted.pk]
    assert SourceObject.objects.count() == 2
