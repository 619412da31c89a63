"""The bundled estate, from the archive to verified conversations, every request held against the description."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from console.sample import sample_path
from migration_app.batches.batches import batch_create
from migration_app.batches.preflight import preflight_of
from migration_app.contracts import Actor
from migration_app.engine.runner import batch_work
from migration_app.gateways.configured import target_connection
from migration_app.models import Thread
from migration_app.tasks.connections import Connections
from migration_app.threads.selections import selection_of_filters
from tests.migration_app.conversion.support import validator
from tests.migration_app.engine.conftest import assert_conversation_holds_exactly_the_thread
from tests.prepared import batch_prepare, turn_of
from tests.sandbox import RunningSandbox

ACTOR = Actor("ada")
ALL = selection_of_filters({})


@pytest.fixture
def backfilled(transactional_db: None, sandbox: RunningSandbox) -> int:
    """Calls that preflight estimated; the estate is imported and backfilled."""
    call_command("import_archive", str(sample_path()), stdout=io.StringIO(), stderr=io.StringIO())
    estimated = preflight_of(ALL, "backfill").totals.calls
    batch = batch_create(kind="backfill", selection=ALL, actor=ACTOR, reason="a test")
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    connections = Connections(
        source=lambda: target_connection(timeout_seconds=10),
        target=lambda: target_connection(timeout_seconds=10),
    )
    batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR, seconds=300))
    return estimated


def test_the_whole_estate_arrives_as_the_official_description_demands(
    backfilled: int, sandbox: RunningSandbox
) -> None:
    requests = sandbox.control.requests()
    assert len(requests) == backfilled  # to the call
    for request in requests:
        body: Any = request.body
        if request.method == "POST" and request.path.endswith("/items"):
            validator("root_create_items").validate(body)
        elif request.method == "POST":
            validator("root_create_conversation").validate(body)
        assert request.status == 200

    statuses = list(Thread.objects.values_list("status", "fidelity").distinct())
    assert set(statuses) == {
        ("verified", "exact"),
        ("verified", "transformed"),
        ("verified", "lossy"),
        ("blocked", "blocked"),
    }
    assert Thread.objects.filter(status="blocked").count() == 1
    for thread in Thread.objects.filter(status="verified"):
        assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_every_user_text_of_the_estate_stands_in_its_conversation(
    backfilled: int, sandbox: RunningSandbox
) -> None:
    """Told apart from conversion: counted from the archive's own lines by a few lines of code."""
    expected: dict[str, list[str]] = {}
    with gzip.open(sample_path(), "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            value = json.loads(line)
            if value.get("object") == "thread.message" and value["role"] == "user":
                texts = [part["text"]["value"] for part in value["content"] if part["type"] == "text"]
                expected.setdefault(value["thread_id"], []).extend(texts)
    for thread in Thread.objects.filter(status="verified"):
        stored = sandbox.control.conversation(thread.conversation.conversation_id)
        found = [
            part["text"]
            for item in stored.items
            if item.get("role") == "user"
            for part in item["content"]
            if part["type"] == "input_text"
        ]
        assert sorted(found) == sorted(expected.get(thread.thread_id, []))
