"""Assessing threads: what their snapshot would become, counted and graded, stored on their rows.

Runs the conversion and throws the items away; nothing is sent. Imports use it for many threads, a live
snapshot for one.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from migration_app.archive.ids import id_fault, storable_text
from migration_app.archive.times import message_times, moment_of
from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, JsonObject, Policies, Severity, SourceThread, ThreadPlan
from migration_app.conversion.chunking import plan_size
from migration_app.conversion.findings.policies import codes_of
from migration_app.conversion.resources import thread_resources
from migration_app.counters import RUNS
from migration_app.models import Assistant, AuditEvent, Conversation, Thread
from migration_app.snapshots.pages import LoadedThread, load_source_threads
from migration_app.snapshots.runs import RunRows
from migration_app.statements import statements_of
from migration_app.threads.plans import PlanLostError, conversation_policies, plan_of
from migration_app.threads.resources import resources_trouble
from migration_app.threads.results import results_put
from migration_app.threads.statuses import TERMINAL_FIELDS, thread_transition, threads_transition

S = Thread.Status

BLOCKED_CODE = "blocked_by_findings"
GROWN_CODE = "source_grown"
GROWN_TEXT = (
    "The source has grown or changed since this thread was backfilled: its conversation lacks "
    "some of it. Check what is new, then backfill it again."
)

# Another code: Backfill takes what has grown, but nothing may follow what an application added.
ACCEPTED_GROWN_CODE = "accepted_source_grown"
ACCEPTED_GROWN_TEXT = (
    "The source has grown or changed, and its conversation was accepted as is, with what its application added. "
    "Check what is new, then accept it again, or re-migrate."
)

DELETED_CODE = "source_deleted"
DELETED_TEXT = (
    "The source has deleted this thread, or messages of it, since it was backfilled: its conversation still has the "
    "deleted content. Re-migrate or roll back to remove it, or accept the conversation as is."
)

_TAKES_EDGE = frozenset({S.REGISTERED, S.BLOCKED, S.SNAPSHOTTED, S.FAILED, S.SOURCE_MISSING})
_SETTLED = frozenset({S.BACKFILLED, S.VERIFIED, S.NEEDS_REVIEW})
_UNDER_WAY = frozenset({Thread.Work.ROLLBACK, Thread.Work.REMIGRATE})
_GROWN_VERB = "thread.source_grown"
_DELETED_VERB = "thread.source_deleted"
_DELETIONS = codes_of("deletions")
_GROUP = 200

_SQL = statements_of(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Assessment:
    """Result of one assessment: fields of the thread's row.

    ``blocked_text`` names the findings that block the thread; it is empty if there are none.
    """

    fields: Mapping[str, Any]
    blocked_text: str
    user_ref: str
    assistant_id: str


def plan_measures(plan: ThreadPlan, *, known: Thread | None = None) -> dict[str, Any]:
    """What a plan amounts to, as fields of the thread's row; bytes are those of the items as JSON.

    ``known``: the row as it is; where it is of a plan that sends the same, the size is taken from there.
    """
    digest = plan_digest(plan)
    if known is not None and known.plan_digest == digest:
        chunk_count, payload_bytes = known.chunk_count, known.payload_bytes
    else:
        chunk_count, payload_bytes = plan_size(plan.items)
    return {
        "fidelity": plan.fidelity.value,
        "item_count": len(plan.items),
        "chunk_count": chunk_count,
        "payload_bytes": payload_bytes,
        "plan_digest": digest,
        "finding_counts": dict(sorted(collections.Counter(f.code for f in plan.findings).items())),
    }


def plan_digest(plan: ThreadPlan) -> str:
    """SHA-256 over what a plan sends: its metadata and its items, as JSON."""
    digest = hashlib.sha256(json.dumps(plan.metadata, sort_keys=True).encode())
    for planned in plan.items:
        digest.update(b"\n")
        digest.update(planned.body)
    return digest.hexdigest()


def assessment_of(
    loaded: LoadedThread, conversation: Conversation | None, *, is_trouble: bool = True
) -> Assessment:
    """Convert and count: under the policies of the thread's conversation, or the defaults without one.

    ``is_trouble``: whether any resource is known to be missing (``resources_trouble``).
    """
    source = loaded.source
    names_resources = is_trouble and loaded.names_resources
    try:
        policies = conversation_policies(conversation) if conversation else Policies()
        plan = plan_of(source, policies, conversation, names_resources=names_resources)
    except PlanLostError:  # measured as a new thread: it differs from what was sent, and needs review
        plan = plan_of(source, Policies(), None, names_resources=names_resources)
    first, last = message_times(source.messages)
    thread: JsonObject = source.thread or {}
    metadata = thread.get("metadata")
    named = metadata.get(settings.USER_REF_METADATA_KEY) if isinstance(metadata, dict) else None
    return Assessment(
        fields={
            **plan_measures(plan),
            "resources": resource_summary(source) if loaded.names_resources else "",
            "message_count": len(source.messages),
            "run_count": len(source.runs),
            "first_message_at": first,
            "last_message_at": last,
            "source_created_at": moment_of(thread.get("created_at")),
            "snapshot_at": loaded.received_at,
            "snapshot_sequence": loaded.sequence,
        },
        blocked_text=_blocked_text(plan),
        user_ref=storable_text(named, 512),
        assistant_id=_assistant_of(source),
    )


def _blocked_text(plan: ThreadPlan) -> str:
    codes = sorted({finding.code for finding in plan.findings if finding.severity is Severity.BLOCKING})
    return (
        "Conversion found content that must not be sent without a review: " + ", ".join(codes)
        if codes
        else ""
    )


def resource_summary(source: SourceThread) -> str:
    """List the files and vector stores that the thread needs to continue, in one line of text."""
    needed = (resource for resource in thread_resources(source) if resource.use != "named")
    return " ".join(f"{resource.kind}:{resource.id}" for resource in needed if resource.id.isprintable())


def _assistant_of(source: SourceThread) -> str:
    """The assistant that answered last in the thread, empty if none is named."""
    for value in itertools.chain(reversed(source.runs), reversed(source.messages)):
        assistant_id = value.get("assistant_id")
        if not id_fault(assistant_id):
            return str(assistant_id)
    return ""


def thread_assess(
    *, thread: Thread, actor: Actor, reason: str = "", fields: Mapping[str, Any] | None = None
) -> bool:
    """Assess one thread and set its status to snapshotted or blocked, or to review if it grew after its backfill.

    The caller holds the thread's row lock, or its lease. ``fields`` are set together with what was found. Returns
    whether that took an edge.
    """
    loaded = next(load_source_threads([thread]))
    conversation = Conversation.objects.filter(thread=thread).first()
    assessment = assessment_of(loaded, conversation)
    runs = RunRows()
    runs.add(thread.pk, loaded.source)
    assistants = assistants_registered({assessment.assistant_id} - {""}, actor=actor)
    changes = {**_changes(thread, assessment, assistants), **(fields or {})}
    takes_edge = thread.status in _TAKES_EDGE or _has_grown(thread, assessment)
    with transaction.atomic():
        if thread.status in _TAKES_EDGE:
            to = S.BLOCKED if assessment.blocked_text else S.SNAPSHOTTED
            changes |= _outcome(assessment)
            thread_transition(
                thread=thread, to=to, actor=actor, verb=f"thread.{to}", reason=reason, fields=changes
            )
        elif takes_edge:
            kept = conversation is not None and conversation.continued_after is not None
            news = _news(thread, assessment, kept=kept)
            changes |= news.fields
            thread_transition(
                thread=thread, to=S.NEEDS_REVIEW, actor=actor, verb=news.verb, reason=reason, fields=changes
            )
        else:
            Thread.objects.filter(pk=thread.pk).update(**changes)
            for name, value in changes.items():
                setattr(thread, name, value)
        runs.write([thread.pk])
    return takes_edge


def threads_assess(
    *,
    thread_pks: Sequence[int],
    actor: Actor,
    reason: str,
    progress: Callable[[int], None] | None = None,
    fence: Callable[[], None] = lambda: None,
) -> None:
    """Assess many threads, a few hundred a transaction; ``progress`` is called with the number done.

    ``fence`` is called first in each transaction, and raises if the caller may not write any more.

    Threads in an engine's hands (queued, backfilling) keep their status: the engine plans again. One that was
    backfilled already and would now be converted differently needs review.
    """
    for start in range(0, len(thread_pks), _GROUP):
        pks = thread_pks[start : start + _GROUP]
        # Conversion happens here, outside of any transaction.
        conversations = {found.thread_id: found for found in Conversation.objects.filter(thread_id__in=pks)}
        group: dict[int, Assessment] = {}
        runs = RunRows()
        is_trouble = resources_trouble()
        for loaded in load_source_threads(list(Thread.objects.filter(pk__in=pks))):
            group[loaded.thread.pk] = assessment_of(
                loaded, conversations.get(loaded.thread.pk), is_trouble=is_trouble
            )
            runs.add(loaded.thread.pk, loaded.source)
        _group_store(group, runs, actor=actor, reason=reason, fence=fence)
        RUNS.fold()
        if progress is not None:
            progress(start + len(pks))


def _group_store(
    group: Mapping[int, Assessment], runs: RunRows, *, actor: Actor, reason: str, fence: Callable[[], None]
) -> None:
    fence()
    assistants = assistants_registered({a.assistant_id for a in group.values()} - {""}, actor=actor)
    with transaction.atomic():
        fence()
        rows = list(
            Thread.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=group).order_by("pk")
        )
        # Another import may have stored and assessed more in the meantime: newer results stay.
        rows = [row for row in rows if not _older(group[row.pk], row)]
        grown = [row for row in rows if _has_grown(row, group[row.pk])]
        kept = set(
            Conversation.objects.filter(thread__in=grown, continued_after__isnull=False).values_list(
                "thread_id", flat=True
            )
            if grown
            else ()
        )
        news = {row.pk: _news(row, group[row.pk], kept=row.pk in kept) for row in grown}
        _measures_write(rows, group, assistants)
        runs.write([row.pk for row in rows])
        takers = [row for row in rows if row.status in _TAKES_EDGE]
        for to in (S.SNAPSHOTTED, S.BLOCKED):
            threads_transition(
                threads=[row for row in takers if bool(group[row.pk].blocked_text) == (to == S.BLOCKED)],
                to=to,
                actor=actor,
                verb=f"thread.{to}",
                reason=reason,
                batch_pk=None,
                fields={},
            )
        for told in (_GROWN, _ACCEPTED_GROWN, _DELETED):
            threads_transition(
                threads=[row for row in grown if news[row.pk] is told],
                to=S.NEEDS_REVIEW,
                actor=actor,
                verb=told.verb,
                reason=reason,
                batch_pk=None,
                fields={**told.fields, **TERMINAL_FIELDS},
            )
        results_put([row.pk for row in grown if row.pending_work])


def _has_grown(row: Thread, assessment: Assessment) -> bool:
    """Whether the backfill is incomplete now. Not for threads being deleted or about to be re-migrated."""
    return row.status in _SETTLED and row.pending_work not in _UNDER_WAY and _differs(assessment, row)


@dataclasses.dataclass(frozen=True, slots=True)
class _News:
    """Why a backfilled thread needs review."""

    verb: str
    code: str
    text: str

    @property
    def fields(self) -> dict[str, str]:
        """As fields of the thread's row."""
        return {"error_code": self.code, "error_text": self.text}


_GROWN = _News(_GROWN_VERB, GROWN_CODE, GROWN_TEXT)
_ACCEPTED_GROWN = _News(_GROWN_VERB, ACCEPTED_GROWN_CODE, ACCEPTED_GROWN_TEXT)
_DELETED = _News(_DELETED_VERB, DELETED_CODE, DELETED_TEXT)


def _news(row: Thread, assessment: Assessment, *, kept: bool) -> _News:
    """What arrived since the backfill. A deletion takes precedence over growth: Backfill would not remove it."""
    if _deletions(assessment.fields["finding_counts"]) != _deletions(row.finding_counts):
        return _DELETED
    return _ACCEPTED_GROWN if kept else _GROWN


def _deletions(finding_counts: Mapping[str, int]) -> int:
    """How many things of a thread the source has deleted."""
    return sum(count for code, count in finding_counts.items() if code in _DELETIONS)


def _measures_write(
    rows: Sequence[Thread], group: Mapping[int, Assessment], assistants: Mapping[str, int]
) -> None:
    """Write what was found to all rows with one statement: bulk_update takes ten times as long (measured)."""
    records = []
    for row in rows:
        record = {
            "pk": row.pk,
            "error_code": row.error_code,
            "error_text": row.error_text,
            "attempts": row.attempts,
        }
        record |= _changes(row, group[row.pk], assistants)
        if row.status in _TAKES_EDGE:
            record |= _outcome(group[row.pk])
        records.append(record)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["store"], [json.dumps(records, default=datetime.datetime.isoformat)])


def _changes(thread: Thread, assessment: Assessment, assistants: Mapping[str, int]) -> dict[str, Any]:
    """What was found, and what the row still lacks; values set by others stay."""
    changes = dict(assessment.fields)
    changes["user_ref"] = thread.user_ref or assessment.user_ref
    changes["assistant_id"] = thread.assistant_id or assistants.get(assessment.assistant_id)
    return changes


def _outcome(assessment: Assessment) -> dict[str, Any]:
    blocked = assessment.blocked_text
    return {"error_code": BLOCKED_CODE if blocked else "", "error_text": blocked, "attempts": 0}


def _older(assessment: Assessment, row: Thread) -> bool:
    # By the pages' numbers: their times come from the clocks of several machines.
    sequence = assessment.fields["snapshot_sequence"]
    return row.snapshot_sequence is not None and (sequence is None or sequence < row.snapshot_sequence)


def _differs(assessment: Assessment, row: Thread) -> bool:
    found = assessment.fields
    if _deletions(found["finding_counts"]) != _deletions(row.finding_counts):
        return True
    sizes = (found["item_count"], found["payload_bytes"]) != (row.item_count, row.payload_bytes)
    return sizes or (row.plan_digest != "" and found["plan_digest"] != row.plan_digest)


def assistants_registered(assistant_ids: set[str], *, actor: Actor) -> dict[str, int]:
    """Primary keys of assistants by id. An unknown one gets a row with its id only."""
    if not assistant_ids:
        return {}
    known = dict(Assistant.objects.filter(assistant_id__in=assistant_ids).values_list("assistant_id", "pk"))
    missing = sorted(assistant_ids - known.keys())
    if missing:
        with transaction.atomic():
            Assistant.objects.bulk_create(
                [Assistant(assistant_id=assistant_id) for assistant_id in missing], ignore_conflicts=True
            )
            AuditEvent.objects.bulk_create(
                audit_event(
                    actor=actor,
                    verb="assistant.registered",
                    subject_kind="assistant",
                    subject_id=assistant_id,
                    after=Assistant.Status.REGISTERED,
                    reason="A thread names it.",
                )
                for assistant_id in missing
            )
        known |= dict(Assistant.objects.filter(assistant_id__in=missing).values_list("assistant_id", "pk"))
    return known
