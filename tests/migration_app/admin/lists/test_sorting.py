from __future__ import annotations

import re
from typing import Any

import pytest

from migration_app.admin.base import paging
from migration_app.models import Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import batch_made, conversation_made, thread_made, threads_made

THREADS = "/admin/migration_app/thread/"
BATCHES = "/admin/migration_app/batch/"


def shown(response: Any) -> list[Any]:
    return list(response.context["cl"].result_list)


def sortable(response: Any) -> set[str]:
    return {head.name for head in response.context["cl"].headings if head.url}


def test_the_whole_list_is_sorted_by_what_an_index_holds_and_by_nothing_else(log_in: LogIn) -> None:
    middle, first, last = (thread_made(thread_id=f"thread_{name}") for name in "bac")
    client = log_in("viewer")
    response = client.get(THREADS)
    assert sortable(response) == {"show_id", "show_status"}
    assert shown(client.get(THREADS, {"o": "show_id"})) == [first, middle, last]
    assert shown(client.get(THREADS, {"o": "-show_id"})) == [last, middle, first]
    assert shown(client.get(THREADS, {"o": "show_sizes"})) == [last, first, middle]  # newest first, as ever


def test_a_short_narrowed_list_is_sorted_by_any_column_of_the_table(log_in: LogIn) -> None:
    two, three, one = (thread_made(status="failed", message_count=count) for count in (2, 3, 1))
    thread_made(status="verified")
    client = log_in("viewer")
    query = {"status__exact": "failed", "o": "show_sizes"}
    response = client.get(THREADS, query)
    assert shown(response) == [one, two, three]
    assert {"show_sizes", "show_updated", "show_user"} <= sortable(response)
    assert shown(client.get(THREADS, {**query, "o": "-show_sizes"})) == [three, two, one]


def test_a_narrowed_list_that_is_long_is_not_sorted(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNTED_UP_TO", 100)
    newest_first = threads_made(120, status="failed")[::-1]
    response = log_in("viewer").get(THREADS, {"status__exact": "failed", "o": "show_sizes"})
    assert shown(response) == newest_first[:50]
    assert sortable(response) == set()


def test_pages_of_a_sorted_list_follow_each_other(log_in: LogIn) -> None:
    made = threads_made(120)
    client = log_in("viewer")
    found = [row for page in (1, 2, 3) for row in shown(client.get(THREADS, {"o": "show_id", "p": page}))]
    assert found == made
    narrowed = {"status__exact": "registered", "o": "-show_updated"}
    found = [row for page in (1, 2, 3) for row in shown(client.get(THREADS, {**narrowed, "p": page}))]
    assert found == made[::-1]


def test_rows_without_a_value_come_last(log_in: LogIn) -> None:
    client = log_in("viewer")
    batch = batch_made()
    without, with_one = thread_made(status="failed"), thread_made(status="failed", batch=batch)
    for order in ("show_batch", "-show_batch"):
        assert shown(client.get(THREADS, {"status__exact": "failed", "o": order})) == [with_one, without]
    open_one, over = batch_made(), batch_made(finished_at=with_one.created_at)
    for order in ("show_finished", "-show_finished"):
        assert shown(client.get(BATCHES, {"o": order}))[0] == over
    assert open_one in shown(client.get(BATCHES, {"o": "show_finished"}))


@pytest.mark.parametrize(
    "order", ["pk", "thread_id", "user__password", "-", "--show_id", "1", "-1.2", "show_batch__id"]
)
def test_no_address_sorts_by_what_is_no_sortable_column(order: str, log_in: LogIn) -> None:
    old, new = threads_made(2)
    assert shown(log_in("viewer").get(THREADS, {"o": order})) == [new, old]


def test_a_heading_says_how_the_list_is_sorted_and_turns_it_round(log_in: LogIn) -> None:
    thread_made()
    client = log_in("viewer")
    page = client.get(THREADS, {"o": "show_id"}).content.decode()
    assert re.search(
        r'<th scope="col" class="column-show_id" aria-sort="ascending"><a href="\?o=-show_id"', page
    )


def test_a_role_s_boxes_to_tick_do_not_change_what_an_address_means(log_in: LogIn) -> None:
    first, second = threads_made(2)
    for role in ("viewer", "operator"):
        assert shown(log_in(role).get(THREADS, {"o": "show_id"})) == [first, second]


def test_long_ids_are_shortened_in_their_middle_with_the_whole_to_copy(log_in: LogIn) -> None:
    whole = "thread_" + "W9m" * 8
    conversation_made(thread=thread_made(thread_id=whole), conversation_id="conv_" + "0a" * 24)
    page = log_in("viewer").get(THREADS).content.decode()
    assert f'title="{whole}">thread_W9m…mW9m</bdi>' in page
    assert f'data-copy aria-label="Copy {whole}"' in page
    assert 'title="conv_0a0a' in page


def test_hostile_ids_stay_text(log_in: LogIn) -> None:
    thread_made(thread_id=HOSTILE, user_ref=HOSTILE)
    page = log_in("operator").get(THREADS).content.decode()
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page
    assert Thread.objects.count() == 1
