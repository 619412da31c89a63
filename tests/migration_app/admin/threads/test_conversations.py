from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from migration_app.models import Chunk
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import conversation_made, thread_made

LIST = "/admin/migration_app/conversation/"


@pytest.mark.parametrize("text", ["conv_x", "thread_x"])
def test_the_search_finds_a_conversation_by_its_own_and_its_threads_id(text: str, log_in: LogIn) -> None:
    conversation_made(thread=thread_made(thread_id="thread_x"), conversation_id="conv_x")
    conversation_made()
    found = log_in("viewer").get(LIST, {"q": text}).context["cl"].result_list
    assert [row.conversation_id for row in found] == ["conv_x"]


def test_the_page_shows_the_chunks_in_order(log_in: LogIn) -> None:
    conversation = conversation_made()
    for sequence in (1, 0):
        Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=sequence * 20,
            item_count=20,
            digest="",
            source_ids=[],
            request_id=f"req_{sequence}",
        )
    url = reverse("admin:migration_app_conversation_change", args=[conversation.pk])
    page = log_in("viewer").get(url).content.decode()
    assert page.index("req_0") < page.index("req_1")


def test_the_list_takes_as_many_queries_for_forty_rows_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for _ in range(40):
        conversation_made()
    with django_assert_max_num_queries(10):
        client.get(LIST)
