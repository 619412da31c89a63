"""Readings of conversations in review: asked for by a person, done by a worker, taken apart for the page.

What a worker kept when it found the difference has the same shape (``engine.reading``). Content: what shows it
checks the permission and writes an audit row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.db import transaction
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.conversion.comparison.conversations import Bodies, ConversationComparison
from migration_app.engine.reading import Kept, Reading, reading_unpack
from migration_app.engine.steps.readback import KeptComparison, conversation_read
from migration_app.gateways.errors import GatewayError
from migration_app.models import Chunk, Conversation, ReviewCase, ReviewReading, Thread
from migration_app.tasks.connections import Connections
from migration_app.tasks.holding import Hold
from migration_app.tasks.lifecycle import Lifecycle, TaskFailedError, WorkerStopError
from migration_app.threads.plans import PlanLostError, thread_plan

S = ReviewReading.State

READINGS = Lifecycle(
    model=ReviewReading,
    subject="thread",
    subject_id=lambda row: row.thread.thread_id,
    stale=dt.timedelta(minutes=1),  # its holder sends heartbeats whatever the read takes
    verbs={},
)


class ReadingRefusedError(ValueError):
    """There is nothing to read; the text says why."""


def reading_request(*, thread_pk: int, actor: Actor) -> ReviewReading:
    """Ask for a new reading; one that is under way answers for this request too. Raises ReadingRefusedError.

    What was read before stays until the new one is there.
    """
    with transaction.atomic():
        # While this row is locked, the thread can't leave review, which takes the reading along.
        case = (
            ReviewCase.objects.select_for_update(of=("self",)).select_related("thread").filter(pk=thread_pk)
        )
        found = case.first()
        if found is None:
            raise ReadingRefusedError("The thread has left review: nothing is read for it any more.")
        if not Conversation.objects.filter(thread=thread_pk).exclude(conversation_id="").exists():
            raise ReadingRefusedError("There is no conversation that could be read.")
        row, _made = ReviewReading.objects.select_for_update(of=("self",)).get_or_create(
            thread_id=thread_pk, defaults={"state": S.FINISHED, "created_by_name": actor.name[:255]}
        )
        if row.state in (S.QUEUED, S.RUNNING):
            return row
        row.state, row.error_text, row.claim_token = S.QUEUED, "", None
        row.created_by_name, row.created_by_id = actor.name[:255], actor.user_id
        row.started_at = row.heartbeat_at = row.finished_at = None
        row.save()
        audit_record(
            actor=actor,
            verb="thread.reading_asked",
            subject_kind="thread",
            subject_id=found.thread.thread_id,
        )
    return row


def reading_work(*, pk: int, actor: Actor, apis: Connections, stop: Callable[[], bool] = bool) -> bool:
    """Read a conversation as was asked for. Returns whether work is left.

    A target that can't be reached ends the request as failed, with a text; what was read before stays.
    """

    def do(row: ReviewReading) -> None:
        with Hold(READINGS, row, stop=stop).running() as hold:
            reading = _read(row, hold, apis, stop)
        READINGS.finish(row, actor=actor, read_at=Now(), **reading.packed())

    return READINGS.work(pk, do, actor=actor)


def _read(
    row: ReviewReading, hold: Hold[ReviewReading], apis: Connections, stop: Callable[[], bool]
) -> Reading:
    thread = Thread.objects.select_related("batch").get(pk=row.pk)
    conversation = Conversation.objects.filter(thread=thread).exclude(conversation_id="").first()
    if conversation is None:
        raise TaskFailedError("There is no conversation that could be read.")
    comparison = _comparison(thread, conversation)
    reading = Reading(conversation.conversation_id)

    def between() -> None:
        if hold.is_lost or stop():
            raise WorkerStopError

    with apis.target_opened() as (loop, connection):
        try:
            loop.run(
                conversation_read(
                    connection,
                    KeptComparison(comparison, reading),
                    conversation_id=conversation.conversation_id,
                    include=_INCLUDE,
                    between=between,
                )
            )
        except GatewayError as error:
            if error.code != "not_found":
                raise
            reading.missing()
    return reading


# All that must be asked for to see any item whole: the target may hold kinds of items that nobody planned.
_INCLUDE = ("code_interpreter_call.outputs", "file_search_call.results", "message.input_image.image_url")


def _comparison(thread: Thread, conversation: Conversation) -> ConversationComparison:
    """With what was sent; where that plan is lost, with nothing: then the reading begins with the first item."""
    try:
        plan = thread_plan(thread).plan
    except PlanLostError:
        return ConversationComparison((), metadata={})
    return ConversationComparison(
        Bodies(plan.items), item_ids=recorded_ids(conversation), metadata=plan.metadata
    )


def recorded_ids(conversation: Conversation) -> list[str]:
    """What the target called the items that were appended, in their order; empty for one without an id."""
    ids: list[str] = []
    for chunk in conversation.chunks.filter(state=Chunk.State.APPENDED).order_by("sequence"):
        ids += [""] * (chunk.first_item - len(ids))
        ids += [*chunk.item_ids, *[""] * chunk.item_count][: chunk.item_count]
    return ids


def reading_content(row: ReviewReading) -> Kept | None:
    """What was read; None if nothing was yet."""
    return None if row.payload is None else reading_unpack(bytes(row.payload), first_item=row.first_item)
