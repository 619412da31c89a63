"""Both sides of the benchmark do the same work; nothing here looks at a clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from openai import OpenAI

from bench.children import Child
from bench.place import Place
from bench.threads import console, estate, guide, reader, server
from migration_app.archive.files.reader import decode_document
from migration_app.counters import counters_differences
from migration_app.models import Conversation, Thread

MESSAGES = 125


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The benchmark's server; the processes of the two sides are this one."""
    with Child("bench.threads.server") as server:
        url = f"http://127.0.0.1:{int(server.line())}"
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-bench")
        monkeypatch.setenv("SOURCE_API_KEY", "sk-bench")
        monkeypatch.setenv("SOURCE_BASE_URL", f"{url}/v1")
        monkeypatch.delenv("SOURCE_AUTH", raising=False)
        monkeypatch.setattr(settings, "SOURCE_BASE_URL", f"{url}/v1")
        yield Place({}, url, server, server, postmaster=None)


def texts(place: Place) -> list[list[tuple[str, str]]]:
    """Role and text of every item of every conversation."""
    held = place.server("items")
    return sorted([(item["role"], item["content"][0]["text"]) for item in items] for items in held)


def copied_by_the_guide(place: Place, ids: list[str]) -> list[list[tuple[str, str]]]:
    place.server_reset(0)
    with pytest.warns(DeprecationWarning, match="Responses API"), OpenAI() as client:
        guide.backfill_all(client, ids)
    return texts(place)


@pytest.mark.django_db(transaction=True)
def test_the_console_leaves_the_same_items_as_the_guides_script(place: Place) -> None:
    expected = copied_by_the_guide(place, estate.thread_ids(MESSAGES, 0, 2))

    place.server_reset(0)
    console.seed(messages=MESSAGES, first=0, count=2, snapshots=True)
    done = console.work(kinds=["backfill"], window=4)

    assert texts(place) == expected
    assert done["verified"] == {"threads": 2, "items": 2 * MESSAGES}
    assert Conversation.objects.filter(state="verified").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_live_snapshot_first_leaves_the_same_items(place: Place) -> None:
    expected = copied_by_the_guide(place, estate.thread_ids(MESSAGES, 0, 1))

    place.server_reset(0)
    console.seed(messages=MESSAGES, first=0, count=1, snapshots=False)
    console.work(kinds=["snapshot", "backfill"], window=4)

    assert texts(place) == expected
    assert Thread.objects.get().status == "verified"


def test_seeded_pages_are_what_the_server_lists(place: Place) -> None:
    (thread_id,) = estate.thread_ids(MESSAGES, 7, 1)
    first = decode_document(estate.message_page(thread_id, limit=100))
    rest = decode_document(estate.message_page(thread_id, after=first["last_id"], limit=100))
    with pytest.warns(DeprecationWarning, match="Responses API"), OpenAI() as client:
        listed = [message.id for message in client.beta.threads.messages.list(thread_id, order="asc")]
    assert [message["id"] for page in (first, rest) for message in page["data"]] == listed
    assert len(listed) == MESSAGES


@pytest.mark.django_db(transaction=True)
def test_reading_alone_asks_for_what_a_live_snapshot_asks_for(place: Place) -> None:
    place.server_reset(0)
    found = reader.read(ids=estate.thread_ids(MESSAGES, 0, 2), window=4)
    read_alone = place.server("state")["requests"]

    place.server_reset(0)
    console.seed(messages=MESSAGES, first=0, count=2, snapshots=False)
    console.work(kinds=["snapshot"], window=1)

    assert found["messages"] == 2 * MESSAGES
    assert console.stored() == {"threads": 2, "messages": 2 * MESSAGES}
    assert place.server("state")["requests"] == read_alone + 1  # the assistant that answered


@pytest.mark.django_db(transaction=True)
def test_threads_that_were_made_before_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = console._make

    def noted(*, count: int, **more: Any) -> None:
        made.append(count)
        make(count=count, **more)

    tables = [f"migration_app_{name}" for name in ("thread", "snapshotpage", "tally", "tallychange")]
    monkeypatch.setattr(console, "_tables", lambda: tables)
    monkeypatch.setattr(console, "_make", noted)
    try:
        console.seed(messages=10, first=0, count=3, snapshots=True, repeated=True)
        before = console.stored()
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        console.seed(messages=10, first=3, count=3, snapshots=True, repeated=True)
        assert console.stored() == before == {"threads": 3, "messages": 30}
        assert counters_differences() == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS bench_10_3 CASCADE")
    assert made == [3]


def test_the_server_lists_items_from_either_end() -> None:
    world = server.World()
    asked = {"items": [{"id": f"msg_{number}", "role": "user", "content": "x"} for number in range(5)]}
    answered = server.answer(world, "POST", "/v1/conversations", json.dumps(asked).encode())
    path = f"/v1/conversations/{json.loads(answered or b'')['id']}/items"

    def listed(query: str) -> tuple[list[str], bool]:
        page = json.loads(server.answer(world, "GET", f"{path}?limit=2{query}", b"") or b"")
        return [item["id"] for item in page["data"]], page["has_more"]

    assert listed("&order=asc") == (["msg_0", "msg_1"], True)
    assert listed("&order=asc&after=msg_2") == (["msg_3", "msg_4"], False)
    assert listed("") == (["msg_4", "msg_3"], True)
    assert listed("&after=msg_1") == (["msg_0"], False)
