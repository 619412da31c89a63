from __future__ import annotations

from collections.abc import Callable

import pytest

from migration_app.engine.runner import batch_work
from migration_app.gateways.configured import target_connection
from migration_app.models import AuditEvent, Batch, Resource, Thread
from migration_app.tasks.connections import Connections
from migration_app.threads.assessments import thread_assess
from tests.migration_app.engine.conftest import ACTOR, add_page, message, start
from tests.prepared import turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
FILE = {
    "id": "file-a",
    "object": "file",
    "created_at": 1,
    "filename": "a.pdf",
    "bytes": 1,
    "purpose": "assistants",
}
STORE = {"id": "vs_a", "object": "vector_store", "created_at": 1, "name": "a", "status": "completed"}


@pytest.fixture
def work(sandbox: RunningSandbox) -> Callable[[Batch], bool]:
    def turn(batch: Batch) -> bool:
        connections = Connections(
            source=lambda: target_connection(timeout_seconds=5),
            target=lambda: target_connection(timeout_seconds=5),
        )
        return batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR))

    return turn


def thread_that_needs(thread_id: str = "thread_1", store: str = "vs_a", file: str = "file-a") -> Thread:
    thread = Thread.objects.create(thread_id=thread_id)
    tools = {"file_search": {"vector_store_ids": [store]}}
    part = {"type": "image_file", "image_file": {"file_id": file, "detail": "auto"}}
    add_page(
        thread,
        [
            {"id": thread_id, "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": tools},
            message(thread_id, 0, content=[part]),
        ],
    )
    thread_assess(thread=thread, actor=ACTOR)
    return thread


def test_what_is_alive_leaves_no_finding(sandbox: RunningSandbox, work: Callable[[Batch], bool]) -> None:
    sandbox.control.seed([FILE, STORE])
    thread = thread_that_needs()
    before = dict(thread.finding_counts)
    work(start("resources", thread))
    thread.refresh_from_db()
    assert set(Resource.objects.values_list("kind", "resource_id", "status")) == {
        ("file", "file-a", "alive"),
        ("vector_store", "vs_a", "alive"),
    }
    assert (thread.status, thread.pending_work, thread.finding_counts) == ("snapshotted", "", before)
    assert AuditEvent.objects.filter(verb="thread.resources_checked", subject_id="thread_1").count() == 1


def test_what_is_missing_or_expired_is_a_finding_of_the_thread(
    sandbox: RunningSandbox, work: Callable[[Batch], bool]
) -> None:
    sandbox.control.seed([STORE | {"status": "expired"}])
    thread = thread_that_needs()
    work(start("resources", thread))
    thread.refresh_from_db()
    assert thread.finding_counts["resource_missing"] == 1
    assert thread.finding_counts["resource_expired"] == 1
    assert thread.fidelity == "lossy"


def test_the_findings_stay_when_the_thread_is_assessed_again(
    sandbox: RunningSandbox, work: Callable[[Batch], bool]
) -> None:
    thread = thread_that_needs()
    work(start("resources", thread))
    thread_assess(thread=thread, actor=ACTOR)
    thread.refresh_from_db()
    assert thread.finding_counts.get("resource_missing") == 2, thread.finding_counts


def test_what_several_threads_need_is_looked_up_once(
    sandbox: RunningSandbox, work: Callable[[Batch], bool]
) -> None:
    sandbox.control.seed([FILE, STORE])
    work(start("resources", *(thread_that_needs(f"thread_{number}") for number in range(5))))
    assert len(sandbox.control.requests()) == 2


def test_a_target_that_does_not_answer_says_nothing_about_the_files(
    sandbox: RunningSandbox, work: Callable[[Batch], bool]
) -> None:
    sandbox.control.add_fault("unauthorized", "GET ")
    thread = thread_that_needs()
    work(start("resources", thread))
    thread.refresh_from_db()
    assert not Resource.objects.exists()
    assert (thread.status, thread.error_code, thread.pending_work) == ("snapshotted", "unauthorized", "")


def test_an_id_that_no_database_can_hold_is_passed_over(
    sandbox: RunningSandbox, work: Callable[[Batch], bool]
) -> None:
    thread = thread_that_needs(store="vs_\x00", file="f" * 300)
    work(start("resources", thread))
    thread.refresh_from_db()
    assert (thread.pending_work, Resource.objects.count()) == ("", 0)
