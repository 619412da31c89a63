"""What the protocol writes down: one transaction each, under the thread's lease, with its audit row.

Every function raises LeaseLostError if another worker holds the thread by now, and then changed nothing. Calls
no API. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models.functions import Now

from migration_app.contracts import (
    POLICIES_VERSION,
    Actor,
    PlannedItem,
    Policies,
    Severity,
    ThreadPlan,
    policies_as_dict,
)
from migration_app.conversion.canonical import fingerprint
from migration_app.gateways.target import Created
from migration_app.models import Chunk, Conversation, OrphanConversation, Thread
from migration_app.services.assessments import plan_measures
from migration_app.services.audit import audit_event
from migration_app.services.claims import lease_held
from migration_app.services.plans import policies_words
from migration_app.services.threads import TERMINAL_FIELDS, thread_transition

S = Thread.Status


class NeedsReviewError(Exception):
    """A person must look at the thread. ``code`` for filters, ``text`` in words without content."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def backfill_begin(thread: Thread, actor: Actor) -> None:
    """Take the edges to backfilling; a thread whose worker died is in it, or past it, already."""
    if thread.status in {S.BACKFILLING, S.BACKFILLED}:
        with lease_held(thread):
            _event(thread, actor, "thread.resumed", reason="The worker that had it did not finish.")
        return
    if thread.status != S.QUEUED:  # for instance a review that an import caused while it waited
        _transition(thread, actor, S.QUEUED, "thread.queued")
    _transition(thread, actor, S.BACKFILLING, "thread.backfill_started")


def conversation_intend(thread: Thread, plan: ThreadPlan, policies: Policies, actor: Actor) -> Conversation:
    """Write down that a conversation is about to be created, or return the one that there is.

    A row that another worker left in *creating* is a create whose answer nobody recorded: it goes to the
    orphan ledger, and the row serves the new one.
    """
    with lease_held(thread):
        conversation, fresh = Conversation.objects.get_or_create(
            thread=thread,
            defaults={
                "intended_at": Now(),
                "policies": policies_as_dict(policies),
                "policies_version": POLICIES_VERSION,
            },
        )
        if conversation.state == Conversation.State.CREATING and not fresh:
            lost = "The worker ended between sending the create and recording its answer."
            _ledger(thread, conversation, plan, actor, lost)
            Conversation.objects.filter(pk=conversation.pk).update(
                intended_at=Now(), policies=policies_as_dict(policies), policies_version=POLICIES_VERSION
            )
    return conversation


def conversation_abandon(
    thread: Thread, conversation: Conversation, plan: ThreadPlan, actor: Actor, *, lost: str
) -> None:
    """Take back the intent of a create that failed. ``lost``: why its answer is unknown; empty if refused."""
    with lease_held(thread):
        if lost:
            _ledger(thread, conversation, plan, actor, lost)
        conversation.delete()


def conversation_open(thread: Thread, conversation: Conversation, created: Created, actor: Actor) -> None:
    """Record the id: from now on content may be sent to it."""
    with lease_held(thread):
        conversation.conversation_id = created.conversation_id
        conversation.create_request_id = created.request_id
        conversation.state = Conversation.State.OPEN
        conversation.created_at = Now()
        conversation.save(update_fields=["conversation_id", "create_request_id", "state", "created_at"])
        _event(
            thread,
            actor,
            "conversation.created",
            after=created.conversation_id[:64],
            reason=policies_words(Policies(**conversation.policies)),
            request_id=created.request_id,
        )


def chunk_intend(
    thread: Thread,
    conversation: Conversation,
    *,
    sequence: int,
    first_item: int,
    planned: Sequence[PlannedItem],
    digest: str,
) -> Chunk:
    """Write down that these items are about to be sent."""
    with lease_held(thread):
        return Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=first_item,
            item_count=len(planned),
            digest=digest,
            source_ids=[_storable(entry.source_id) for entry in planned],
            state=Chunk.State.SENDING,
            sent_at=Now(),
        )


def chunk_withdraw(thread: Thread, chunk: Chunk) -> None:
    """Take back the intent of an append that certainly did nothing."""
    with lease_held(thread):
        chunk.delete()


def chunk_appended(thread: Thread, chunk: Chunk, item_ids: Sequence[str], *, request_id: str) -> None:
    """Record what the items are called."""
    with lease_held(thread):
        chunk.state = Chunk.State.APPENDED
        chunk.item_ids = [_storable(item_id) for item_id in item_ids]
        chunk.request_id = request_id
        chunk.appended_at = Now()
        chunk.save(update_fields=["state", "item_ids", "request_id", "appended_at"])
        # Progress: what failed before this chunk does not count against the next one.
        Thread.objects.filter(pk=thread.pk).update(attempts=0)
        thread.attempts = 0


def items_replaced(
    thread: Thread,
    conversation: Conversation,
    *,
    positions: range,
    items: Sequence[PlannedItem],
    said: str,
    actor: Actor,
) -> None:
    """Keep the conversation's replacements, and say which items the target refused, in its own words."""
    with lease_held(thread):
        conversation.save(update_fields=["replacements"])
        for position in positions:
            planned = items[position]
            source = f"{planned.source_kind} {_storable(planned.source_id)}"
            _event(
                thread, actor, "item.refused", reason=f"Item {position + 1}, from {source}: {_storable(said)}"
            )


def conversation_complete(thread: Thread, plan: ThreadPlan, actor: Actor) -> None:
    """Record that every chunk is appended; the thread is *backfilled*, graded by the plan as it was sent."""
    with lease_held(thread):
        Conversation.objects.filter(thread=thread).update(
            state=Conversation.State.COMPLETE,
            item_count=len(plan.items),
            fingerprint=fingerprint([planned.item for planned in plan.items]),
            completed_at=Now(),
            verified_at=None,
        )
        _transition(thread, actor, S.BACKFILLED, "thread.backfilled", **plan_measures(plan))


def thread_verified(thread: Thread, conversation: Conversation, plan: ThreadPlan, actor: Actor) -> None:
    """Record that the conversation was read back and is what was planned."""
    with lease_held(thread):
        conversation.state = Conversation.State.VERIFIED
        conversation.verified_at = Now()
        conversation.item_count = len(plan.items)
        conversation.fingerprint = fingerprint([planned.item for planned in plan.items])
        conversation.save(update_fields=["state", "verified_at", "item_count", "fingerprint"])
        _transition(
            thread,
            actor,
            S.VERIFIED,
            "thread.verified",
            error_code="",
            error_text="",
            attempts=0,
            **TERMINAL_FIELDS,
        )


def thread_block(thread: Thread, plan: ThreadPlan, actor: Actor) -> None:
    """Stop at what must not be sent unseen, or what the target refuses in every shape."""
    blocking = [finding for finding in plan.findings if finding.severity is Severity.BLOCKING]
    codes = ", ".join(sorted({finding.code for finding in blocking}))
    refused = [finding.text for finding in blocking if finding.code == "item_refused"]
    _transition(
        thread,
        actor,
        S.BLOCKED,
        "thread.blocked",
        reason=codes,
        error_code="item_refused" if refused else "blocked_by_findings",
        error_text=refused[0] if refused else f"Conversion found what must not be sent unseen: {codes}",
        **plan_measures(plan),
        **TERMINAL_FIELDS,
    )


def thread_review(thread: Thread, review: NeedsReviewError, actor: Actor) -> None:
    """Hand the thread to a person; a conversation that was verified no longer is."""
    with lease_held(thread):
        Conversation.objects.filter(thread=thread, state=Conversation.State.VERIFIED).update(
            state=Conversation.State.COMPLETE, verified_at=None
        )
        _transition(
            thread,
            actor,
            S.NEEDS_REVIEW,
            "thread.needs_review",
            reason=review.text,
            error_code=review.code,
            error_text=review.text,
            **TERMINAL_FIELDS,
        )


def _ledger(thread: Thread, conversation: Conversation, plan: ThreadPlan, actor: Actor, reason: str) -> None:
    conversation.refresh_from_db(fields=["intended_at"])
    OrphanConversation.objects.create(
        thread=thread,
        intended_at=conversation.intended_at,
        reason=reason,
        metadata_keys=sorted(_storable(key) for key in plan.metadata),
    )
    _event(thread, actor, "conversation.create_lost", reason=reason)


def _event(
    thread: Thread, actor: Actor, verb: str, *, after: str = "", reason: str = "", request_id: str = ""
) -> None:
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind="thread",
        subject_id=thread.thread_id,
        before="" if after else thread.status,
        after=after or thread.status,
        reason=reason,
        batch_pk=thread.batch_id,
        request_id=request_id,
    ).save(force_insert=True)


def _transition(
    thread: Thread, actor: Actor, to: str, verb: str, *, reason: str = "", **fields: object
) -> None:
    thread_transition(
        thread=thread,
        to=to,
        actor=actor,
        verb=verb,
        reason=reason,
        lease_token=thread.lease_token,
        fields=fields,
    )


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return text.replace("\x00", "")
