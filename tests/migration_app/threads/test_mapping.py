from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from django.utils import timezone

from migration_app.models import Assistant, Conversation, Thread
from migration_app.threads.mapping import mapping_chunks, mapping_columns
from migration_app.threads.selections import selection_of_filters, selection_of_pks

pytestmark = pytest.mark.django_db
ALL = selection_of_filters({})


def rows(selection: Mapping[str, Any] = ALL) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(mapping_chunks(selection)).decode())))


def test_the_columns_are_those_that_are_documented() -> None:
    Thread.objects.create(thread_id="thread_1")
    header = b"".join(mapping_chunks(ALL)).decode().splitlines()[0]
    assert tuple(header.split(",")) == tuple(mapping_columns())


def test_a_verified_thread_is_exported_with_its_conversation() -> None:
    now = timezone.now().replace(microsecond=0)
    thread = Thread.objects.create(
        thread_id="thread_1",
        status="verified",
        fidelity="exact",
        user_ref="user_7",
        assistant=Assistant.objects.create(assistant_id="asst_1"),
        message_count=4,
        resources="vector_store:vs_1",
        first_message_at=now,
    )
    Conversation.objects.create(
        thread=thread,
        conversation_id="conv_1",
        state="verified",
        item_count=5,
        fingerprint="ab",
        intended_at=now,
        verified_at=now,
        mapped_at=now,
    )
    (row,) = rows()
    assert row == {
        "continued_after": "",
        "thread_id": "thread_1",
        "conversation_id": "conv_1",
        "status": "verified",
        "fidelity": "exact",
        "user_ref": "user_7",
        "assistant_id": "asst_1",
        "message_count": "4",
        "item_count": "5",
        "first_message_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "last_message_at": "",
        "verified_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "fingerprint": "ab",
        "resources": "vector_store:vs_1",
        "error": "",
    }


def test_a_thread_without_a_conversation_is_exported_too() -> None:
    Thread.objects.create(thread_id="thread_1", error_code="not_found", error_text="gone")
    (row,) = rows()
    assert (row["conversation_id"], row["item_count"], row["error"]) == ("", "0", "not_found: gone")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(first: str) -> None:
    Thread.objects.create(thread_id=f"{first}cmd|' /C calc'!A0", user_ref=f"{first}1+1")
    (row,) = rows()
    assert row["thread_id"] == f"'{first}cmd|' /C calc'!A0"
    assert row["user_ref"] == f"'{first}1+1"


def test_quotes_commas_newlines_and_other_scripts_survive() -> None:
    hostile = 'a,"b"\n%s {0} שלום'
    Thread.objects.create(thread_id="thread_1", user_ref=hostile)
    assert rows()[0]["user_ref"] == hostile


def test_a_selection_narrows_the_export() -> None:
    first, _second = (
        Thread.objects.create(thread_id=f"thread_{n}", status=s) for n, s in enumerate(("failed", "verified"))
    )
    assert [row["thread_id"] for row in rows(selection_of_filters({"status__exact": "verified"}))] == [
        "thread_1"
    ]
    assert [row["thread_id"] for row in rows(selection_of_pks([first.pk]))] == ["thread_0"]
    assert [row["thread_id"] for row in rows(selection_of_filters({}, search="thread_1"))] == ["thread_1"]


def test_a_filter_value_with_sql_in_it_is_only_a_value() -> None:
    Thread.objects.create(thread_id="thread_1")
    assert rows(selection_of_filters({"user_ref__exact": "'; DROP TABLE migration_app_thread; --"})) == []
    assert Thread.objects.count() == 1


def test_a_large_export_comes_in_blocks() -> None:
    Thread.objects.bulk_create(
        Thread(thread_id=f"thread_{number}", user_ref="u" * 400) for number in range(2000)
    )
    blocks = list(mapping_chunks(ALL))
    assert len(blocks) > 2
    assert sum(block.count(b"\n") for block in blocks) == 2001
    assert all(len(block) < 600_000 for block in itertools.islice(blocks, 5))


def test_a_kept_conversation_is_marked_by_where_its_application_went_on() -> None:
    thread = Thread.objects.create(thread_id="thread_1", status="verified")
    now = timezone.now()
    Conversation.objects.create(
        thread=thread,
        conversation_id="conv_1",
        state="verified",
        item_count=5,
        continued_after=5,
        intended_at=now,
        verified_at=now,
        mapped_at=now,
    )
    (row,) = rows()
    assert (row["conversation_id"], row["continued_after"]) == ("conv_1", "5")


def test_a_conversation_that_is_being_deleted_is_not_handed_out() -> None:
    thread = Thread.objects.create(thread_id="thread_1", status="needs_review", error_code="rollback_begun")
    Conversation.objects.create(
        thread=thread, conversation_id="conv_1", state="deleting", intended_at=timezone.now()
    )
    (row,) = rows()
    assert (row["conversation_id"], row["status"]) == ("", "needs_review")


def test_a_rolled_back_thread_has_no_conversation() -> None:
    Thread.objects.create(thread_id="thread_1", status="rolled_back")
    (row,) = rows()
    assert (row["conversation_id"], row["status"], row["item_count"]) == ("", "rolled_back", "0")
