"""How one thread gets into its conversation: intent, call, record, step by step, resumable at every step.

    create:   row "creating"  →  POST /conversations         →  id, row "open"
    append:   row "sending"   →  POST /conversations/…/items →  item ids, row "appended"     (per chunk)
    complete: row "complete"  →  GET  /conversations/…/items →  compared: "verified", or a person looks

A worker may die after any of these. The next one finds the rows and knows: "creating" means that the create
may have happened, and nobody can find out (there is no list of conversations), so it goes to the orphan
ledger and a new, empty conversation is made. "sending" means that the append may have happened: the
conversation is read, and either it holds exactly the chunk more (recorded) or exactly not (sent again);
anything else goes to a person. Content is only ever sent to a conversation whose id is recorded.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.db.models.functions import Now

from migration_app.contracts import Actor, Difference, Fidelity, JsonObject, ThreadPlan
from migration_app.conversion.canonical import canonical_item, compare_items, fingerprint, items_digest
from migration_app.conversion.chunking import chunk_items
from migration_app.conversion.threads import convert_thread
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import conversation_create, items_append, items_list
from migration_app.models import Chunk, Conversation, OrphanConversation, Thread
from migration_app.services.audit import audit_event
from migration_app.services.claims import lease_held
from migration_app.services.snapshots import load_source_thread
from migration_app.services.threads import TERMINAL_FIELDS, thread_transition

S = Thread.Status


class NeedsReviewError(Exception):
    """A person must look at the thread. ``code`` for filters, ``text`` in words without content."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What a step needs: the claimed thread, its plan, where to send it, and who acts."""

    thread: Thread
    plan: ThreadPlan
    items: tuple[JsonObject, ...]
    connection: Connection
    actor: Actor


def thread_backfill(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Take a claimed thread as far as it gets: verified, blocked, or to a person.

    Raises GatewayError (the caller decides whether to try again) and LeaseLostError (another worker has it).
    """
    plan = convert_thread(load_source_thread(thread))
    work = Work(thread, plan, tuple(planned.item for planned in plan.items), connection, actor)
    _begin(work)
    if plan.fidelity is Fidelity.BLOCKED and thread.status == S.BACKFILLING:
        _block(work)
        return
    try:
        if thread.status == S.BACKFILLING:
            conversation = _conversation(work)
            _append(work, conversation)
            _complete(work, conversation)
        _verify(work)
    except NeedsReviewError as review:
        _review(work, review)


def thread_verify(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Read a claimed thread's conversation back and compare it with what its snapshot says.

    Raises GatewayError and LeaseLostError.
    """
    plan = convert_thread(load_source_thread(thread))
    work = Work(thread, plan, tuple(planned.item for planned in plan.items), connection, actor)
    try:
        _verify(work)
    except NeedsReviewError as review:
        _review(work, review)


def _begin(work: Work) -> None:
    """Take the edges to backfilling; a thread whose worker died is in it, or past it, already."""
    thread = work.thread
    if thread.status in {S.BACKFILLING, S.BACKFILLED}:
        with lease_held(thread):
            audit_event(
                actor=work.actor,
                verb="thread.resumed",
                subject_kind="thread",
                subject_id=thread.thread_id,
                before=thread.status,
                after=thread.status,
                reason="The worker that had it did not finish.",
                batch_pk=thread.batch_id,
            ).save(force_insert=True)
        return
    if thread.status != S.QUEUED:  # for instance a review that an import caused while it waited
        _transition(work, S.QUEUED, "thread.queued")
    _transition(work, S.BACKFILLING, "thread.backfill_started")


def _block(work: Work) -> None:
    codes = sorted({finding.code for finding in work.plan.findings if finding.severity == "blocking"})
    _transition(
        work,
        S.BLOCKED,
        "thread.blocked",
        reason=", ".join(codes),
        error_code="blocked_by_findings",
        error_text="Conversion found what must not be sent unseen: " + ", ".join(codes),
        fidelity=Fidelity.BLOCKED.value,
        **TERMINAL_FIELDS,
    )


def _conversation(work: Work) -> Conversation:
    """Return the thread's conversation with an id that we hold, creating it if there is none."""
    with lease_held(work.thread):
        conversation, fresh = Conversation.objects.get_or_create(
            thread=work.thread, defaults={"intended_at": Now()}
        )
        if conversation.state != Conversation.State.CREATING:
            return conversation
        if not fresh:
            _ledger(
                work, conversation, "The worker ended between sending the create and recording its answer."
            )
            Conversation.objects.filter(pk=conversation.pk).update(intended_at=Now())
    try:
        created = conversation_create(work.connection, metadata=work.plan.metadata)
    except GatewayError as error:
        with lease_held(work.thread):
            if error.outcome is Outcome.UNKNOWN:
                _ledger(work, conversation, error.text)
            conversation.delete()
        raise
    with lease_held(work.thread):
        conversation.conversation_id = created.conversation_id
        conversation.create_request_id = created.request_id
        conversation.state = Conversation.State.OPEN
        conversation.created_at = Now()
        conversation.save(update_fields=["conversation_id", "create_request_id", "state", "created_at"])
        audit_event(
            actor=work.actor,
            verb="conversation.created",
            subject_kind="thread",
            subject_id=work.thread.thread_id,
            after=created.conversation_id[:64],
            batch_pk=work.thread.batch_id,
            request_id=created.request_id,
        ).save(force_insert=True)
    return conversation


def _ledger(work: Work, conversation: Conversation, reason: str) -> None:
    conversation.refresh_from_db(fields=["intended_at"])
    OrphanConversation.objects.create(
        thread=work.thread,
        intended_at=conversation.intended_at,
        reason=reason,
        metadata_keys=sorted(key.replace("\x00", "") for key in work.plan.metadata),
    )
    audit_event(
        actor=work.actor,
        verb="conversation.create_lost",
        subject_kind="thread",
        subject_id=work.thread.thread_id,
        reason=reason,
        batch_pk=work.thread.batch_id,
    ).save(force_insert=True)


def _append(work: Work, conversation: Conversation) -> None:
    """Send what is not there yet. Chunks that stand are held against the plan before anything follows them."""
    position = sequence = 0
    for chunk in conversation.chunks.order_by("sequence"):
        planned = work.items[chunk.first_item : chunk.first_item + chunk.item_count]
        if _digest(planned) != chunk.digest:
            raise NeedsReviewError(
                "plan_changed",
                f"Chunk {chunk.sequence} was sent from a plan that is no longer the same: the snapshot or the "
                "conversion changed since. Roll the thread back and backfill it anew, or leave it as it is.",
            )
        if chunk.state == Chunk.State.SENDING and not _settle(work, conversation, chunk):
            break  # only the last one can be in doubt; it is not there, and is sent anew below
        position, sequence = chunk.first_item + chunk.item_count, chunk.sequence + 1
    if conversation.state != Conversation.State.OPEN and position < len(work.items):
        # The conversation was handed out once; its application may have gone on with it since.
        _prefix_only(work, conversation, position)
    for number, part in enumerate(chunk_items(work.plan.items, position), start=sequence):
        _send(work, conversation, number, part)


def _settle(work: Work, conversation: Conversation, chunk: Chunk) -> bool:
    """Find out whether a chunk in doubt is there: True and recorded, or False and its row gone."""
    found = _read_back(work, conversation)
    end = chunk.first_item + chunk.item_count
    difference = compare_items(work.items[:end], found)
    if difference is None:
        ids = tuple(str(item.get("id", "")) for item in found[chunk.first_item : end])
        _record_appended(work, chunk, ids, request_id="")
        return True
    if compare_items(work.items[: chunk.first_item], found) is None:
        with lease_held(work.thread):
            chunk.delete()
        return False
    raise NeedsReviewError(
        "difference", f"After a lost answer the conversation is not as sent: {difference.text}"
    )


def _prefix_only(work: Work, conversation: Conversation, position: int) -> None:
    found = _read_back(work, conversation)
    difference = compare_items(work.items[:position], found)
    if difference is not None:
        raise NeedsReviewError(
            "conversation_continued",
            f"The source has grown, but the conversation is no longer what was sent: {difference.text}",
        )


def _send(work: Work, conversation: Conversation, sequence: int, part: range) -> None:
    planned = work.plan.items[part.start : part.stop]
    items = [entry.item for entry in planned]
    with lease_held(work.thread):
        chunk = Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=part.start,
            item_count=len(items),
            digest=_digest(items),
            source_ids=[entry.source_id.replace("\x00", "") for entry in planned],
            state=Chunk.State.SENDING,
            sent_at=Now(),
        )
    try:
        appended = items_append(
            work.connection,
            conversation_id=conversation.conversation_id,
            first_position=part.start,
            items=items,
        )
    except GatewayError as error:
        if error.outcome is Outcome.NOTHING:
            with lease_held(work.thread):
                chunk.delete()
        raise
    _record_appended(work, chunk, appended.item_ids, request_id=appended.request_id)


def _record_appended(work: Work, chunk: Chunk, item_ids: Sequence[str], *, request_id: str) -> None:
    with lease_held(work.thread):
        chunk.state = Chunk.State.APPENDED
        chunk.item_ids = [item_id.replace("\x00", "") for item_id in item_ids]
        chunk.request_id = request_id
        chunk.appended_at = Now()
        chunk.save(update_fields=["state", "item_ids", "request_id", "appended_at"])
        # Progress: what failed before this chunk does not count against the next one.
        Thread.objects.filter(pk=work.thread.pk).update(attempts=0)
        work.thread.attempts = 0


def _complete(work: Work, conversation: Conversation) -> None:
    with lease_held(work.thread):
        conversation.state = Conversation.State.COMPLETE
        conversation.item_count = len(work.items)
        conversation.fingerprint = fingerprint(work.items)
        conversation.completed_at = Now()
        conversation.verified_at = None
        conversation.save(update_fields=["state", "item_count", "fingerprint", "completed_at", "verified_at"])
        _transition(work, S.BACKFILLED, "thread.backfilled")


def _verify(work: Work) -> None:
    conversation = Conversation.objects.get(thread=work.thread)
    try:
        found = _read_back(work, conversation)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        raise NeedsReviewError(
            "conversation_missing", "The target no longer knows the conversation."
        ) from None
    difference: Difference | None = compare_items(work.items, found)
    if difference is not None:
        raise NeedsReviewError("difference", difference.text)
    with lease_held(work.thread):
        conversation.state = Conversation.State.VERIFIED
        conversation.verified_at = Now()
        conversation.item_count = len(work.items)
        conversation.fingerprint = fingerprint(work.items)
        conversation.save(update_fields=["state", "verified_at", "item_count", "fingerprint"])
        _transition(
            work, S.VERIFIED, "thread.verified", error_code="", error_text="", attempts=0, **TERMINAL_FIELDS
        )


def _read_back(work: Work, conversation: Conversation) -> list[JsonObject]:
    return list(
        items_list(
            work.connection,
            conversation_id=conversation.conversation_id,
            with_image_urls=any(
                isinstance(part, dict) and part.get("image_url")
                for item in work.items
                for part in item.get("content", ())
            ),
        )
    )


def _review(work: Work, review: NeedsReviewError) -> None:
    with lease_held(work.thread):
        Conversation.objects.filter(thread=work.thread, state=Conversation.State.VERIFIED).update(
            state=Conversation.State.COMPLETE, verified_at=None
        )
        _transition(
            work,
            S.NEEDS_REVIEW,
            "thread.needs_review",
            reason=review.text,
            error_code=review.code,
            error_text=review.text,
            **TERMINAL_FIELDS,
        )


def _transition(work: Work, to: str, verb: str, *, reason: str = "", **fields: object) -> None:
    thread_transition(
        thread=work.thread,
        to=to,
        actor=work.actor,
        verb=verb,
        reason=reason,
        lease_token=work.thread.lease_token,
        fields=fields,
    )


def _digest(items: Sequence[JsonObject]) -> str:
    return items_digest([canonical_item(item) for item in items])
