from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from django.utils import timezone

from migration_app.archive.order import assemble, covering, findings, losses
from migration_app.batches import preflight as preflight_module
from migration_app.batches.batches import batch_create
from migration_app.batches.preflight import (
    SNAPSHOT_FINDINGS,
    FindingCount,
    Preflight,
    preflight_of,
)
from migration_app.contracts import policies_from, policy_choices
from migration_app.conversion.findings.findings import KINDS
from migration_app.engine.runner import batch_work
from migration_app.gateways.configured import target_connection
from migration_app.models import Chunk, Conversation, Thread
from migration_app.tasks.connections import Connections
from migration_app.threads.assessments import thread_assess
from migration_app.threads.selections import selection_of_filters
from tests.migration_app.conversion.support import golden_files
from tests.migration_app.engine.conftest import ACTOR, add_page
from tests.prepared import batch_prepare, turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db

ALL = selection_of_filters({})
OTHER_CHOICES = [(name, choice) for name, choices in policy_choices().items() for choice in choices[1:]]


def golden_thread(policy: str) -> Thread:
    """A thread with every shape that a policy decides about, imported and assessed."""
    default = policy_choices()[policy][0]
    path = next(path for path in golden_files("policies") if path.stem == f"{policy}__{default}")
    source = json.loads(path.read_text(encoding="utf-8"))["source"]
    made = Thread.objects.create(thread_id=f"thread_{policy}")
    kinds = {"messages": "thread.message", "runs": "thread.run", "steps": "thread.run.step"}
    objects: list[dict[str, Any]] = [{"id": made.thread_id, "object": "thread", "metadata": {}}]
    for name, kind in kinds.items():
        objects += [{**value, "object": kind, "thread_id": made.thread_id} for value in source.get(name, ())]
    # A deleted thread is blocked, so that only Retry takes it: here its messages alone are deleted.
    objects += [
        {"id": name, "object": "thread.message.deleted", "deleted": True}
        for name in source.get("deleted_messages", ())
    ]
    add_page(made, objects)
    thread_assess(thread=made, actor=ACTOR)
    return made


def work(kind: str, **policies: str) -> None:
    batch = batch_create(
        kind=kind, selection=ALL, actor=ACTOR, reason="a test", settings={"policies": policies}
    )
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    connections = Connections(
        source=lambda: target_connection(timeout_seconds=10),
        target=lambda: target_connection(timeout_seconds=10),
    )
    assert not batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR))


def assert_estimated(found: Preflight, sandbox: RunningSandbox, *, since: int = 0) -> None:
    """Calls, chunks, items and threads are what the sandbox saw; grades and findings what the rows hold now."""
    requests = sandbox.control.requests()[since:]
    appends = [
        request for request in requests if request.path.endswith("/items") and request.method == "POST"
    ]
    bodies: list[Any] = [request.body for request in appends]
    creates = [request for request in requests if request.path.endswith("/conversations")]
    assert found.totals.calls == len(requests)
    assert found.totals.chunks == len(appends)
    assert found.totals.items == sum(len(body["items"]) for body in bodies)
    assert found.totals.threads == len(creates)
    threads = Thread.objects.all()
    assert found.blocked == threads.filter(status="blocked").count()
    assert sum(row.payload_bytes for row in threads.exclude(status="blocked")) == found.totals.payload_bytes
    grades = [row.fidelity for row in threads]
    assert found.by_fidelity == {grade: grades.count(grade) for grade in grades}
    for finding in found.findings:
        counts = [row.finding_counts.get(finding.code, 0) for row in threads]
        assert (finding.threads, finding.count) == (len(list(filter(None, counts))), sum(counts))


def thread(number: int, status: str = "snapshotted", **fields: object) -> Thread:
    return Thread.objects.create(
        thread_id=f"thread_{number}", status=status, snapshot_at=timezone.now(), **fields
    )


def test_it_counts_what_would_be_taken_and_what_is_left_out_and_why() -> None:
    thread(1, fidelity="exact", message_count=45, item_count=45, chunk_count=3, payload_bytes=900)
    thread(2, fidelity="lossy", message_count=250, item_count=240, chunk_count=12, payload_bytes=100)
    thread(3, fidelity="exact")
    thread(4, "blocked")
    thread(5, "verified")
    found = preflight_of(selection_of_filters({}), "backfill")
    assert (found.matching, found.totals.threads) == (5, 3)
    assert found.refused_by_status == {"blocked": 1, "verified": 1}
    assert found.by_fidelity == {"exact": 2, "lossy": 1}
    totals = found.totals
    assert (totals.messages, totals.items, totals.chunks, totals.payload_bytes) == (295, 285, 15, 1000)
    assert totals.calls == 3 + 15 + (1 + 3 + 1) + 3


def test_findings_are_added_up_over_the_threads_that_would_be_taken() -> None:
    thread(1, finding_counts={"image_on_assistant": 2, "message_empty": 1})
    thread(2, finding_counts={"image_on_assistant": 1})
    thread(3, "verified", finding_counts={"image_on_assistant": 9})
    found = preflight_of(selection_of_filters({}), "backfill").findings
    assert [(entry.code, entry.threads, entry.count) for entry in found] == [
        ("image_on_assistant", 2, 3),
        ("message_empty", 1, 1),
    ]
    assert isinstance(found[0], FindingCount)
    assert found[0].severity == "lossy"


def test_the_longest_threads_are_named() -> None:
    for number, items in enumerate((5, 500, 50)):
        thread(number, item_count=items)
    found = preflight_of(selection_of_filters({}), "backfill")
    assert [one.thread_id for one in found.longest] == ["thread_1", "thread_2", "thread_0"]


def test_it_changes_nothing() -> None:
    thread(1)
    before = list(Thread.objects.values())
    preflight_of(selection_of_filters({}), "exclude")
    assert list(Thread.objects.values()) == before


# --- under policies -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("name", "choice"), OTHER_CHOICES)
def test_under_every_choice_it_estimates_what_the_backfill_sends_to_the_call(
    name: str, choice: str, sandbox: RunningSandbox
) -> None:
    for policy in policy_choices():
        golden_thread(policy)
    defaults = preflight_of(ALL, "backfill")
    found = preflight_of(ALL, "backfill", policies_from({name: choice}))
    assert (found.exact, defaults.converted) == (True, 0)
    assert found.converted >= 1
    assert found.findings != defaults.findings
    work("backfill", **{name: choice})
    assert_estimated(found, sandbox)


@pytest.mark.django_db(transaction=True)
def test_after_a_policy_has_blocked_threads_it_estimates_what_retry_sends_under_the_defaults(
    sandbox: RunningSandbox,
) -> None:
    thread_made = golden_thread("code_interpreter")
    work("backfill", code_interpreter="block")
    thread_made.refresh_from_db()
    assert thread_made.status == "blocked"
    found = preflight_of(ALL, "retry")
    assert (found.totals.threads, found.blocked) == (1, 0)
    since = len(sandbox.control.requests())
    work("retry")
    assert_estimated(found, sandbox, since=since)
    thread_made.refresh_from_db()
    assert thread_made.status == "verified"


def test_a_thread_with_a_conversation_is_counted_under_the_policies_it_has() -> None:
    made = golden_thread("assistant_images")
    kept = preflight_of(ALL, "backfill")
    conversation = Conversation.objects.create(
        thread=made, state="open", conversation_id="conv_1", intended_at=timezone.now(), policies={}
    )
    for sequence, state in enumerate(("appended", "sending")):
        Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=sequence * 2,
            item_count=2,
            state=state,
            source_ids=[],
        )
    found = preflight_of(ALL, "backfill", policies_from({"assistant_images": "block"}))
    assert (found.converted, found.begun, found.blocked, found.items_there) == (0, 1, 0, 2)
    assert found.totals == kept.totals
    assert [effect.threads for effect in found.effects] == [0] * len(policy_choices())


def test_each_policy_tells_the_threads_and_parts_it_decides_about() -> None:
    thread(1, finding_counts={"attachment_as_input_file": 2, "attachment_on_assistant": 1})
    thread(2, finding_counts={"attachment_as_input_file": 1, "message_empty": 4})
    thread(3, "verified", finding_counts={"attachment_as_input_file": 1})
    effects = {effect.name: effect for effect in preflight_of(ALL, "backfill").effects}
    assert (effects["attachments"].threads, effects["attachments"].parts) == (2, 4)
    assert effects["attachments"].choice == "input_file"
    assert (effects["file_search"].threads, effects["file_search"].parts) == (0, 0)


@pytest.mark.parametrize(("limit", "at_most"), [("CONVERTED_THREADS", 1), ("CONVERTED_MESSAGES", 3)])
def test_a_page_that_would_convert_too_much_gives_the_last_assessment_and_says_so(
    limit: str, at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_module, limit, at_most)
    for number in (1, 2):
        thread(number, message_count=2, item_count=5, finding_counts={"image_on_assistant": 1})
    found = preflight_of(ALL, "backfill", policies_from({"assistant_images": "block"}), limited=True)
    assert (found.exact, found.converted) == (False, 2)
    assert found.totals == preflight_of(ALL, "backfill").totals
    assert found.blocked == 0


def test_without_a_limit_everything_is_converted_and_progress_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_module, "CONVERTED_THREADS", 0)
    golden_thread("assistant_images")
    told: list[tuple[int, int]] = []
    chosen = policies_from({"assistant_images": "block"})
    found = preflight_of(ALL, "backfill", chosen, progress=lambda *both: told.append(both))
    assert (found.exact, found.blocked, told) == (True, 1, [(1, 1)])


def test_threads_converted_anew_are_among_the_longest() -> None:
    made = golden_thread("code_interpreter")
    thread(1, item_count=1)
    found = preflight_of(ALL, "backfill", policies_from({"code_interpreter": "drop_with_finding"}))
    by_id = {long.thread_id: long.item_count for long in found.longest}
    assert by_id.keys() == {made.thread_id, "thread_1"}
    assert by_id[made.thread_id] < made.item_count


def test_retry_counts_no_calls_for_what_is_blocked_fetched_or_only_taken_back() -> None:
    thread(1, "blocked", fidelity="blocked", item_count=9, chunk_count=1)
    thread(2, "excluded", item_count=9, chunk_count=1)
    Thread.objects.create(thread_id="thread_3", status="failed")
    thread(4, "failed", item_count=9, chunk_count=1)
    found = preflight_of(ALL, "retry")
    assert (found.taken, found.blocked) == (4, 1)
    assert (found.totals.threads, found.totals.calls) == (1, 4)


def test_findings_of_snapshots_have_the_severity_that_they_are_made_with() -> None:
    text = "".join(map(inspect.getsource, (assemble, covering, findings, losses)))
    made = re.findall(r'code="(\w+)",\s+severity=Severity\.(\w+)', text)
    known = {code: kind.severity for code, kind in KINDS.items()} | dict(SNAPSHOT_FINDINGS)
    assert made
    assert {code: severity.lower() for code, severity in made} == {code: known.get(code) for code, _ in made}
    assert SNAPSHOT_FINDINGS.keys() <= dict(made).keys()
