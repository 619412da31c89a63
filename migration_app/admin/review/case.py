"""The page of one thread in review: what is wrong, what to do, and the three columns. Reads the database only."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import BACK
from migration_app.admin.base.badges import thread_badge
from migration_app.admin.base.durations import duration_text
from migration_app.admin.base.live import Live
from migration_app.admin.base.people import people_text
from migration_app.admin.base.rendering import Sight, pretty_json
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.confirm import APPROVE
from migration_app.admin.review.columns import Columns, columns_of
from migration_app.admin.review.forms import AssignForm, DecisionForm, FilterForm
from migration_app.admin.threads.confirm_pages import action_url
from migration_app.audit.trail import audit_record
from migration_app.batches.approvals import approval_needed
from migration_app.contracts import Actor
from migration_app.conversion.comparison.word_diff import TextDiff, text_diff
from migration_app.models import Batch, Conversation, ReviewCase, ReviewReading, Thread
from migration_app.review.alignment import Alignment, Found, aligned, window_of_plan
from migration_app.review.assignments import PERMISSION
from migration_app.review.decisions import Offer, approvals_waiting, case_offers
from migration_app.review.queue import QueueFilter, case_place
from migration_app.review.readings import S as READING_STATE
from migration_app.review.readings import reading_content, recorded_ids
from migration_app.review.reasons import KIND_TEMPLATES, TEMPLATES, Shape, reason_of
from migration_app.threads.plans import PlannedThread, shown_plan

CONTENT = "migration_app.view_content"


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """What the columns are made of."""

    alignment: Alignment
    columns: Columns
    metadata: TextDiff | None
    plan_lost: str
    first: int
    last: int


def case_filter(case: ReviewCase, chosen: QueueFilter) -> QueueFilter:
    """The group that the thread is looked at in: that of the address, else that of its own reason."""
    return chosen if chosen.code is not None else dataclasses.replace(chosen, code=case.code)


def case_context(request: HttpRequest, case: ReviewCase, form: FilterForm) -> dict[str, Any]:
    """Everything that the page shows. Seeing content writes an audit row."""
    thread = Thread.objects.select_related("assistant", "batch").get(pk=case.pk)
    conversation = Conversation.objects.filter(thread=thread).first()
    reading = ReviewReading.objects.filter(pk=case.pk).first()
    may_see = request.user.has_perm(CONTENT)
    compared = _compared(thread, conversation, reading, Sight(may_see))
    if compared is not None and may_see:
        audit_record(
            actor=actor_of(request),
            verb="thread.content_viewed",
            subject_kind="thread",
            subject_id=thread.thread_id,
            reason=f"review, items {compared.first}–{compared.last}",
        )
    shape: Shape = compared.alignment.shape if compared else ""
    offers = case_offers(case, shape, request.user.has_perm)
    chosen = case_filter(case, form.chosen())
    query = form.query(code=chosen.code)
    return {
        "case": case,
        "thread": thread,
        "age": age_text(case.entered_at),
        "status": thread_badge(thread.status),
        "conversation": conversation,
        "reason": reason_of(case.code),
        "offers": (rows := _offer_rows(case, offers, query, actor_of(request))),
        "usable_keys": {key for row in rows if row["is_permitted"] for key in row["keys"]},
        "standard_reason": _standard(case, offers),
        "place": (place := case_place(case, chosen)),
        "following_url": _case_url(place.following, query),
        "previous_url": _case_url(place.previous, query),
        "queue_url": f"{reverse('review_queue')}{query}",
        "may_review": request.user.has_perm(PERMISSION),
        "may_see": may_see,
        "approvals": approvals_waiting(case),
        "decision": DecisionForm(standard="", kinds=[offer.kind.name for offer in offers]),
        "assign": AssignForm(initial={"person": case.person_id, "seen": case.person_id}, prefix=None),
        "assign_url": reverse("review_assign", args=[case.pk]) + query,
        "read_url": reverse("review_read", args=[case.pk]) + query,
        "is_mine": case.person_id == request.user.pk,
        **reading_context(case.pk, reading, query),
        "may_read": conversation is not None and bool(conversation.conversation_id),
        "compared": compared,
        "workers": workers_state(),
        "shape_text": _SHAPES.get(shape, ""),
    }


_SHAPES: dict[Shape, str] = {
    "equal": "As it was read, the conversation is what was planned.",
    "continued": "All that was sent is there; other items follow.",
    "missing_items": "Items that were sent are missing; nothing else is there.",
    "changed": "Items that were sent are not as they were sent.",
    "gone": "The target did not know the conversation.",
}


def age_text(since: dt.datetime | None) -> str:
    """How long a thread, or the oldest of a group, has been in review."""
    return duration_text(timezone.now() - since) if since is not None else duration_text(None)


def reading_context(pk: int, reading: ReviewReading | None, query: str) -> dict[str, Any]:
    """What the live part of the page shows: whether a worker is to read, or reads."""
    is_reading = reading is not None and reading.state in (READING_STATE.QUEUED, READING_STATE.RUNNING)
    return {
        "reading": reading,
        "is_reading": is_reading,
        "case_url": _case_url(pk, query),
        "live": Live(
            "reading-state", reverse("review_reading", args=[pk]) + query, is_open=is_reading, seconds=2
        ),
    }


def _case_url(pk: int | None, query: str) -> str:
    return reverse("review_case", args=[pk]) + query if pk is not None else ""


def _standard(case: ReviewCase, offers: list[Offer]) -> str:
    return TEMPLATES[standard_template(case, offers[0].kind.name, offers)] if offers else ""


def standard_template(case: ReviewCase, kind: str, offers: list[Offer]) -> str:
    """The name of the standard reason for an action."""
    recommended = offers[0].kind.name if offers else ""
    reason = reason_of(case.code)
    return reason.template if kind == recommended == reason.actions[0] else KIND_TEMPLATES[kind]


def _offer_rows(case: ReviewCase, offers: list[Offer], query: str, actor: Actor) -> list[dict[str, Any]]:
    """The actions with their keys: a for the recommended one, r for one that sends, b for the roll back."""
    again = next((offer for offer in offers if offer.kind.converts), None)
    rows = []
    for number, offer in enumerate(offers):
        keys = ["a"] if number == 0 else []
        keys += ["r"] if offer is again else []
        keys += ["b"] if offer.kind.name == Batch.Kind.ROLLBACK else []
        rows.append({**_offer_row(case, offer, query, keys), "second_person": _second_person(offer, actor)})
    return rows


def _second_person(offer: Offer, actor: Actor) -> str:
    """Why the action waits for somebody else's approval, and whose; empty if it starts at once."""
    if not (offer.kind.approved and offer.is_permitted):
        return ""
    why = approval_needed(kind=offer.kind.name, chosen={}, threads=1, actor=actor)
    who = people_text(APPROVE, but=actor) if why else ""
    return (
        f"{why} {f'These people can: {who}.' if who else 'Nobody but you can approve it now.'}" if why else ""
    )


def _offer_row(case: ReviewCase, offer: Offer, query: str, keys: list[str]) -> dict[str, Any]:
    back = reverse("review_case", args=[case.pk]) + query
    return {
        "kind": offer.kind,
        "consequence": offer.consequence,
        "is_permitted": offer.is_permitted,
        "keys": keys,
        "is_main": "a" in keys,
        "url": reverse("review_decide", args=[case.pk, offer.kind.name]) + query,
        "confirm_url": action_url(offer.kind.name, {"thread_id__exact": case.thread.thread_id, BACK: back}),
    }


def _compared(
    thread: Thread, conversation: Conversation | None, reading: ReviewReading | None, sight: Sight
) -> Compared | None:
    """The columns; None without a snapshot, of which there is nothing to compare."""
    if thread.snapshot_at is None:
        return None
    planned, lost = shown_plan(thread)
    found = _found(reading)
    sent = _sent(conversation)
    first, last = window_of_plan(sent=sent, total=len(planned.plan.items), found=found)
    window = list(planned.plan.items[first:last])
    recorded = recorded_ids(conversation) if conversation is not None else []
    alignment = aligned(
        [item.item for item in window],
        first=first,
        total=len(planned.plan.items),
        sent=sent,
        recorded=recorded,
        metadata=None if lost else planned.plan.metadata,
        found=found,
    )
    columns = columns_of(alignment, planned.source, window, first=first, recorded=recorded, sight=sight)
    metadata = _metadata_diff(planned, found) if alignment.metadata_differs and sight.content else None
    return Compared(alignment, columns, metadata, lost, first + 1, last)


def _found(reading: ReviewReading | None) -> Found | None:
    kept = reading_content(reading) if reading is not None else None
    if reading is None or kept is None:
        return None
    return Found(kept.items, reading.first_item, reading.item_count, reading.found, kept.metadata)


def _sent(conversation: Conversation | None) -> int:
    """How many items were sent, or the first of these that count where an application continued them."""
    if conversation is None:
        return 0
    if conversation.continued_after is not None:
        return conversation.continued_after
    last = conversation.chunks.order_by("-sequence").first()
    return last.first_item + last.item_count if last is not None else 0


def _metadata_diff(planned: PlannedThread, found: Found | None) -> TextDiff:
    there = dict(sorted((found.metadata or {}).items())) if found else {}
    return text_diff(pretty_json(dict(sorted(planned.plan.metadata.items()))), pretty_json(there))
