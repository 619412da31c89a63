"""What the protocol writes down: each function adds to the thread's entry, with its audit row.

Nothing here is durable until ``Work.write`` returns. Calls no API. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from migration_app.archive.ids import storable_text
from migration_app.contracts import (
    POLICIES_VERSION,
    Fidelity,
    JsonObject,
    PlannedItem,
    Policies,
    Severity,
    ThreadPlan,
    policies_as_dict,
)
from migration_app.conversion.comparison.conversations import NOT_SHOWN
from migration_app.conversion.findings.findings import KINDS
from migration_app.engine.journal.entries import Entry
from migration_app.engine.reading import Reading
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.target import Appended, Created
from migration_app.models import BatchResult, Conversation, FormerConversation, Thread
from migration_app.threads.assessments import plan_measures
from migration_app.threads.plans import policies_summary
from migration_app.threads.statuses import ROLLBACK_BEGUN_CODE, ROLLBACK_BEGUN_TEXT

S = Thread.Status
R = BatchResult.Result
ID_LENGTH = 255
_SAID_LENGTH = 300


class NeedsReviewError(Exception):
    """The thread needs review. ``code`` for filters, ``text`` without content."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def not_whole() -> NeedsReviewError:
    """Why nothing can be sent to, or read from, a conversation whose roll back was begun."""
    return NeedsReviewError(ROLLBACK_BEGUN_CODE, ROLLBACK_BEGUN_TEXT)


def accepted_as_is() -> NeedsReviewError:
    """Why nothing more is sent to a kept conversation."""
    return NeedsReviewError(
        "conversation_continued",
        "It is kept as it is, with what its application added: nothing more is sent to that conversation. Keep "
        "it again, re-migrate, or roll the thread back.",
    )


def work_ended(entry: Entry, result: str = "") -> None:
    """The thread has no work left and belongs to no worker; its batch keeps the result, by default its status."""
    entry.set(pending_work="", release=True)
    entry.result(result)


def backfill_begun(entry: Entry) -> None:
    """Take the edges to backfilling; a thread whose worker stopped is in it, or past it, already."""
    if entry.status in {S.BACKFILLING, S.BACKFILLED}:
        entry.event("thread.resumed", reason="The worker that had it did not finish.")
        return
    if entry.status != S.QUEUED:  # for instance a review that an import caused while it waited
        entry.transition(S.QUEUED, "thread.queued")
    entry.transition(S.BACKFILLING, "thread.backfill_started")


def conversation_intended(
    thread: Thread, policies: Policies, replacements: Sequence[JsonObject]
) -> Conversation:
    """The row of a conversation that is to be created; it keeps the policies that the thread is sent under.

    ``replacements``: what the target refused in a conversation that this one takes the place of.
    """
    return Conversation(
        thread=thread,
        state=Conversation.State.CREATING,
        policies=policies_as_dict(policies),
        policies_version=POLICIES_VERSION,
        replacements=list(replacements),
    )


def create_announced(entry: Entry, conversation: Conversation) -> None:
    """The conversation is about to be created, in place of one whose create failed before."""
    entry.parts.pop("abandon", None)
    entry.parts["intent"] = {
        "policies": conversation.policies,
        "policies_version": conversation.policies_version,
        "replacements": conversation.replacements,
    }


def create_lost(entry: Entry, plan: ThreadPlan, reason: str) -> None:
    """A create was sent whose answer nobody has: an empty conversation may exist that can't be found."""
    keys = sorted(storable_text(key, ID_LENGTH) for key in plan.metadata)
    entry.parts["orphan"] = {"reason": storable_text(reason, _SAID_LENGTH), "metadata_keys": keys}
    entry.event("conversation.create_lost", reason=reason)


def create_failed(entry: Entry) -> None:
    """Take back the intent: there is no conversation, or none that anybody can find."""
    entry.parts["abandon"] = True


def conversation_opened(entry: Entry, conversation: Conversation, created: Created) -> None:
    """The id is known: once this is durable, content may be sent to it."""
    conversation.conversation_id = storable_text(created.conversation_id, ID_LENGTH)
    conversation.state = Conversation.State.OPEN
    entry.conversation(
        conversation_id=conversation.conversation_id,
        create_request_id=storable_text(created.request_id, 128),
        state=Conversation.State.OPEN,
        created=True,
    )
    entry.event(
        "conversation.created",
        after=conversation.conversation_id,
        reason=policies_summary(Policies(**conversation.policies)),
        request_id=created.request_id,
    )


def conversation_given_up(entry: Entry, conversation: Conversation, *, why: str, item_count: int) -> None:
    """What was sent to it may still arrive there: the thread starts over in a fresh one, and this one is deleted later.

    Never one that has been in the mapping.
    """
    if conversation.mapped_at is not None:
        raise ValueError(f"{conversation.conversation_id} has been in the mapping")
    restarts = entry.thread.restarts + 1
    entry.parts["detached"] = {
        "outcome": str(FormerConversation.Outcome.GIVEN_UP),
        "item_count": item_count,
        "left_behind": "",
        "reason": why,
        "delete_in": settings.DOUBT_DELETE_AFTER_SECONDS,
    }
    entry.event("conversation.given_up", after=conversation.conversation_id, reason=why)
    if entry.status == S.BACKFILLED:
        entry.transition(S.QUEUED, "thread.queued")
    if entry.status == S.QUEUED:
        entry.transition(S.BACKFILLING, "thread.backfill_started", reason=f"Started over, time {restarts}.")
    entry.set(restarts=restarts)


def chunk_sending(
    entry: Entry, *, sequence: int, first_item: int, planned: Sequence[PlannedItem], digest: str
) -> None:
    """These items are about to be sent. A refused append that is sent again keeps its number and its row."""
    entry.parts.pop("withdrawn", None)
    entry.parts["sending"] = {
        "sequence": sequence,
        "first_item": first_item,
        "item_count": len(planned),
        "digest": digest,
        "source_ids": [storable_text(item.source_id, ID_LENGTH) for item in planned],
    }


def chunk_appended(entry: Entry, sequence: int, appended: Appended) -> None:
    """The items are there, and this is what they are called. What failed before it does not count any more."""
    entry.parts["appended"] = {
        "sequence": sequence,
        "item_ids": [storable_text(item_id, ID_LENGTH) for item_id in appended.item_ids],
        "request_id": storable_text(appended.request_id, 128),
    }
    if entry.thread.attempts:
        entry.set(attempts=0)


def chunk_withdrawn(entry: Entry, sequence: int) -> None:
    """The append certainly did nothing. Not for one that was sent before: the first may still arrive."""
    entry.parts["withdrawn"] = sequence


def items_replaced(
    entry: Entry,
    conversation: Conversation,
    *,
    positions: range,
    items: Sequence[PlannedItem],
    error: GatewayError,
) -> None:
    """Store the conversation's replacements, and record which items the target refused; its message is stored
    separately."""
    entry.conversation(replacements=conversation.replacements)
    for position in positions:
        planned = items[position]
        place = f"Item {position + 1}, from {planned.source_kind} {planned.source_id}"
        entry.event(
            "item.refused",
            reason=f"{place}: {error.code} ({error.status}).",
            request_id=error.request_id,
        )
        entry.quote(
            error.said,
            code="item_refused",
            status=error.status,
            request_id=error.request_id,
            item=position + 1,
        )


def conversation_completed(
    entry: Entry, conversation: Conversation, plan: ThreadPlan, item_count: int, digest: str
) -> None:
    """Every chunk is appended: the thread is *backfilled*, graded by the plan as it was sent."""
    conversation.state = Conversation.State.COMPLETE
    entry.conversation(
        state=Conversation.State.COMPLETE,
        item_count=item_count,
        fingerprint=digest,
        completed=True,
        verified=False,
    )
    measures = plan_measures(plan, known=entry.thread)
    entry.transition(S.BACKFILLED, "thread.backfilled", **measures)


def thread_verified(entry: Entry, item_count: int, *, not_shown: Sequence[str] | None = None) -> None:
    """The conversation was read back and is what was planned, as far as the target shows it.

    ``not_shown``: what it does not show; None if that was not checked.
    """
    entry.conversation(state=Conversation.State.VERIFIED, verified=True, item_count=item_count)
    said = ""
    if not_shown is not None:
        entry.conversation(not_shown=" ".join(not_shown))
        before = entry.thread.finding_counts
        counts = {code: count for code, count in before.items() if code not in NOT_SHOWN.values()}
        counts |= {NOT_SHOWN[name]: 1 for name in not_shown}
        if counts != before:
            entry.set(finding_counts=dict(sorted(counts.items())))
        said = " ".join(KINDS[NOT_SHOWN[name]].text for name in not_shown)
    entry.transition(
        S.VERIFIED,
        "thread.verified",
        reason=said,
        error_code="",
        error_text="",
        attempts=0,
        **_settled(entry),
    )
    work_ended(entry)


def thread_blocked(entry: Entry, plan: ThreadPlan) -> None:
    """Stop at what must not be sent unseen, or what the target refuses in every shape."""
    blocking = [finding for finding in plan.findings if finding.severity is Severity.BLOCKING]
    codes = ", ".join(sorted({finding.code for finding in blocking}))
    refused = [finding.text for finding in blocking if finding.code == "item_refused"]
    text = (
        refused[0] if refused else f"Conversion found content that must not be sent without a review: {codes}"
    )
    entry.transition(
        S.BLOCKED,
        "thread.blocked",
        reason=codes,
        error_code="item_refused" if refused else "blocked_by_findings",
        error_text=storable_text(text, 2_000),
        **plan_measures(plan),
    )
    work_ended(entry)


def thread_to_review(
    entry: Entry,
    conversation: Conversation | None,
    review: NeedsReviewError,
    reading: Reading | None = None,
) -> None:
    """Hand the thread to a person, with what was read; a conversation that was verified no longer is."""
    if reading is not None:
        entry.keep_reading(reading.packed())
    if conversation is not None and conversation.state == Conversation.State.VERIFIED:
        entry.conversation(state=Conversation.State.COMPLETE, verified=False)
    entry.transition(
        S.NEEDS_REVIEW,
        "thread.needs_review",
        reason=review.text,
        error_code=review.code,
        error_text=storable_text(review.text, 2_000),
        **_settled(entry),
    )
    work_ended(entry)


def thread_accepted(
    entry: Entry, conversation: Conversation, plan: ThreadPlan | None, *, foreign: int
) -> None:
    """A person keeps the conversation as it is: ours up to ``continued_after``, the rest its application's.

    What the source has beyond is among the counted findings. ``plan`` is None where the one that
    was sent can't be rebuilt.
    """
    kept = conversation.continued_after or 0
    conversation.state = Conversation.State.VERIFIED
    entry.conversation(
        state=Conversation.State.VERIFIED,
        verified=True,
        completed=True,
        item_count=kept,
        fingerprint=conversation.fingerprint,
        continued_after=kept,
    )
    if plan is None:
        lost = {**entry.thread.finding_counts, "accepted_from_other_plan": 1}
        measures: dict[str, Any] = {"finding_counts": lost, "fidelity": Fidelity.LOSSY.value}
    else:
        measures = plan_measures(plan)
    entry.transition(
        S.VERIFIED,
        "thread.accepted",
        reason=f"{why(entry)} Ours: the first {kept} items, read and equal. Not ours: {foreign} after them.",
        error_code="",
        error_text="",
        attempts=0,
        **measures,
    )
    work_ended(entry, R.ACCEPTED)


def thread_remigrated(entry: Entry, conversation: Conversation | None, item_count: int) -> None:
    """Leave the conversation where it is; the thread waits for its batch to backfill it into a new one."""
    if conversation is not None:
        detached(entry, FormerConversation.Outcome.LEFT, item_count)
        entry.event(
            "conversation.left",
            after=conversation.conversation_id,
            reason=f"It stays at the target with {item_count} items of ours and all that its application added.",
        )
    # Not "thread.queued": cancelling the batch from here on leaves a thread without a conversation.
    entry.transition(
        S.QUEUED,
        "thread.remigrated",
        reason=why(entry),
        pending_work=Thread.Work.BACKFILL,
        error_code="",
        error_text="",
        attempts=0,
        release=True,
    )


def _settled(entry: Entry) -> dict[str, Any]:
    """Count restarts from the beginning again, where there were any: most threads never start over."""
    return {"restarts": 0} if entry.thread.restarts else {}


def detached(entry: Entry, outcome: str, item_count: int, left_behind: str = "") -> None:
    """The thread and its conversation part; ``left_behind`` is what stays at the target."""
    entry.parts.pop("deleted", None)  # its row goes with all the others
    entry.parts["detached"] = {
        "outcome": str(outcome),
        "item_count": item_count,
        "left_behind": left_behind,
        "reason": why(entry),
    }


def why(entry: Entry) -> str:
    """The reason that the operator gave for the batch."""
    return entry.thread.batch.reason if entry.thread.batch is not None else ""
