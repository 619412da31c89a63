"""Both sides of the benchmark do the same work; nothing here looks at a clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from openai import OpenAI

from bench import console, estate, guide
from bench.children import Child
from bench.place import Place
from migration_app.archive.files.reader import decode_document
from migration_app.models import Conversation, Thread

MESSAGES = 125


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The benchmark's server; the processes of the two sides are this one."""
    with Child("bench.server") as server:
        url = f"http://127.0.0.1:{int(server.line())}"
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-bench")
        monkeypatch.setenv("SOURCE_API_KEY", "sk-bench")
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
