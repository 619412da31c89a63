"""The table of reasons for which threads need review: what each means, what to do, and what that leads to.

A row for each code that the engine, an import or a reconciliation can send a thread to review with. Any other code
comes from work on a thread in review that failed: ``reason_of`` has one row for all of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from migration_app.models import Batch

K = Batch.Kind

Section = Literal["differences", "grown", "unfinished"]
SECTIONS: Mapping[Section, tuple[str, str]] = {
    "differences": ("Differences", "The conversation is not what was planned or sent."),
    "grown": (
        "Grown since",
        "The source has changed since the thread was backfilled; what was sent is as it was.",
    ),
    "unfinished": ("Unfinished", "Work on the thread stopped half way."),
}
"""Title and meaning, in the order of the page."""

Shape = Literal["equal", "continued", "missing_items", "changed", "gone", ""]
"""How a kept reading differs from what was planned; empty where nothing was read."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a thread needs review.

    ``actions``: batch kinds that make sense, the recommended one first; ``when`` recommends another one for the shape
    of what was read. ``unless`` says which kinds are pointless where that is the shape. ``template`` is the standard
    reason that is proposed for the recommended action.
    """

    code: str
    title: str
    meaning: str
    section: Section
    actions: tuple[str, ...]
    when: Mapping[Shape, str] = dataclasses.field(default_factory=dict)
    unless: Mapping[Shape, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    template: str = "checked"
    consequences: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def ordered(self, shape: Shape) -> tuple[str, ...]:
        """The kinds that make sense for a conversation of this shape, the recommended one first."""
        left_out = self.unless.get(shape, ())
        kinds = [kind for kind in self.actions if kind not in left_out]
        first = self.when.get(shape)
        return tuple(sorted(kinds, key=lambda kind: kind != first)) if first else tuple(kinds)

    def consequence(self, kind: str) -> str:
        """What the action leads to for a thread in review for this reason, in a sentence or two."""
        return self.consequences.get(kind) or CONSEQUENCES[kind]


CONSEQUENCES: Mapping[str, str] = {
    K.BACKFILL: "What the source has beyond is appended to the same conversation, after reading that nobody "
    "continued it; then all of it is verified.",
    K.VERIFY: "The conversation is read and compared once more; nothing is written. If it is equal, the thread "
    "is verified; if not, it comes back here with a new reading.",
    K.RETRY: "A worker resumes the thread where it stopped: what is missing is sent, everything is read back. "
    "If the cause persists, it comes back here.",
    K.ACCEPT: "Nothing is sent. If all that was sent is still there, the thread is verified up to that point; "
    "what the source has beyond becomes a lossy finding, and nothing is ever appended again.",
    K.REMIGRATE: "The whole thread is sent to a new conversation and the mapping changes: applications must "
    "use the new id. The old conversation stays at the target.",
    K.ROLLBACK: "What was sent is deleted at the target, items first, and the deletion is confirmed by "
    "reading. An application that uses the conversation will fail. Backfill can send the thread again.",
    K.EXCLUDE: "The thread leaves the migration as it is. Nothing is deleted at the target; Retry includes it again.",
}
"""By kind, where a reason says nothing of its own."""

_NO_ACCEPT = (K.ACCEPT,)

REASONS: Mapping[str, Reason] = {
    reason.code: reason
    for reason in (
        Reason(
            code="difference",
            title="Conversation differs",
            meaning="Read back, the conversation is not what was planned: items, their ids or its metadata.",
            section="differences",
            actions=(K.REMIGRATE, K.ACCEPT, K.VERIFY, K.RETRY, K.ROLLBACK, K.EXCLUDE),
            when={"continued": K.ACCEPT, "equal": K.VERIFY},
            unless=dict.fromkeys(("changed", "missing_items", "gone"), _NO_ACCEPT),
            template="difference_confirmed",
        ),
        Reason(
            code="conversation_continued",
            title="Continued by its application",
            meaning="The conversation holds items that are not ours: its application wrote to it after the backfill.",
            section="differences",
            actions=(K.ACCEPT, K.REMIGRATE, K.VERIFY, K.ROLLBACK, K.EXCLUDE),
            unless=dict.fromkeys(("changed", "missing_items", "gone"), _NO_ACCEPT),
            template="application_continued",
            consequences={
                K.ROLLBACK: "Nothing is deleted while the conversation holds items that are not ours: the "
                "thread comes back here, unless the roll back is started with the choice to delete these too."
            },
        ),
        Reason(
            code="conversation_missing",
            title="Conversation is missing",
            meaning="The target no longer knows the conversation, or the console holds none for the thread.",
            section="differences",
            actions=(K.REMIGRATE, K.RETRY, K.VERIFY, K.ROLLBACK, K.EXCLUDE),
            when={"equal": K.VERIFY, "continued": K.VERIFY, "changed": K.VERIFY, "missing_items": K.VERIFY},
            template="conversation_lost",
            consequences={
                K.REMIGRATE: "The whole thread is sent to a new conversation and the mapping changes: "
                "applications must use the new id. The target knows nothing of the old one.",
                K.ROLLBACK: "The thread is recorded as rolled back: there is nothing to delete. Backfill can "
                "send it again.",
            },
        ),
        Reason(
            code="plan_changed",
            title="Plan changed after sending",
            meaning="Part of the thread was sent from a plan that the snapshot or this version no longer gives.",
            section="differences",
            actions=(K.REMIGRATE, K.ACCEPT, K.ROLLBACK, K.EXCLUDE),
            unless={"gone": _NO_ACCEPT},
            template="plan_outdated",
        ),
        Reason(
            code="source_grown",
            title="Source has more than was sent",
            meaning="The source has grown or changed since the backfill: the conversation lacks some of it.",
            section="grown",
            actions=(K.BACKFILL, K.REMIGRATE, K.ROLLBACK, K.EXCLUDE),
            # It is appended to what was sent only: to nothing else that is there by now.
            unless=dict.fromkeys(("gone", "changed", "missing_items", "continued"), (K.BACKFILL,)),
            template="growth_wanted",
        ),
        Reason(
            code="accepted_source_grown",
            title="Accepted, and the source has more",
            meaning="The conversation was accepted as its application continued it, and the source has grown since.",
            section="grown",
            actions=(K.ACCEPT, K.REMIGRATE, K.ROLLBACK, K.EXCLUDE),
            unless={"gone": _NO_ACCEPT},
            template="growth_not_needed",
            consequences={
                K.ACCEPT: "Nothing is sent. The thread is verified up to what was sent; what the source has "
                "beyond stays out of the conversation, as a lossy finding."
            },
        ),
        Reason(
            code="source_deleted",
            title="Deleted at the source",
            meaning="The source deleted the thread, or messages of it: the conversation still has them.",
            section="grown",
            actions=(K.REMIGRATE, K.ACCEPT, K.ROLLBACK, K.EXCLUDE),
            unless={"gone": _NO_ACCEPT},
            template="deletion_followed",
            consequences={
                K.REMIGRATE: "The thread, without what was deleted, is sent to a new conversation and the "
                "mapping changes. The old conversation stays at the target with the deleted content.",
                K.ROLLBACK: "What was sent is deleted at the target, with what the source deleted, and the "
                "deletion is confirmed by reading. Backfill can send what is left.",
            },
        ),
        Reason(
            code="append_in_doubt",
            title="Answer to an append was lost",
            meaning="Items may have arrived in a conversation that an application may use; they were not there "
            "when read.",
            section="unfinished",
            actions=(K.RETRY, K.ACCEPT, K.REMIGRATE, K.VERIFY, K.ROLLBACK, K.EXCLUDE),
            unless={"gone": _NO_ACCEPT},
            template="doubt_settled",
            consequences={
                K.RETRY: "The conversation is read again: if the items arrived meanwhile, the thread continues "
                "from there; if not, it comes back here. Nothing is sent twice."
            },
        ),
        Reason(
            code="started_over_too_often",
            title="Started over too often",
            meaning="Answers of the target were lost again and again, each time in a new conversation.",
            section="unfinished",
            actions=(K.RETRY, K.ROLLBACK, K.EXCLUDE),
            template="target_recovered",
        ),
        Reason(
            code="rollback_begun",
            title="Roll back not finished",
            meaning="A roll back has started and stopped: the conversation is incomplete.",
            section="unfinished",
            actions=(K.ROLLBACK, K.REMIGRATE, K.EXCLUDE),
            template="rollback_finished",
            consequences={
                K.ROLLBACK: "The roll back resumes where it stopped: what is left of ours is deleted and "
                "confirmed by reading."
            },
        ),
        Reason(
            code="not_deleted",
            title="Target did not delete",
            meaning="A roll back was answered, but the target still lists what was to go, or can't delete it.",
            section="unfinished",
            actions=(K.ROLLBACK, K.REMIGRATE, K.EXCLUDE),
            template="rollback_finished",
            consequences={
                K.ROLLBACK: "The deletes are sent again and confirmed by reading. If the target keeps the "
                "items, the thread comes back here."
            },
        ),
    )
}


def reason_of(code: str) -> Reason:
    """The row of a code; for others, which failed work has left on a thread in review, one row with that code."""
    return REASONS.get(code) or Reason(
        code=code,
        title=f"Work failed: {code.replace('_', ' ')}" if code else "No reason recorded",
        meaning="Work on a thread in review failed before it could decide anything; its page says how.",
        section="unfinished",
        actions=(K.RETRY, K.VERIFY, K.REMIGRATE, K.ROLLBACK, K.EXCLUDE),
        template="cause_removed",
    )


TEMPLATES: Mapping[str, str] = {
    "checked": "Checked source, plan and target side by side.",
    "difference_confirmed": "The difference is real; the conversation must be as planned.",
    "application_continued": "The application continued the conversation; what it added is wanted.",
    "conversation_lost": "The conversation was deleted at the target and is needed.",
    "plan_outdated": "The plan has changed since; the conversation is to follow the current one.",
    "growth_wanted": "The new messages belong into the conversation.",
    "growth_not_needed": "The application continues there; the new messages of the source are not needed.",
    "deletion_followed": "What the source deleted must not stay in the conversation.",
    "doubt_settled": "Enough time has passed for a late append to arrive.",
    "target_recovered": "The target answers reliably again.",
    "rollback_finished": "The roll back is to be finished.",
    "cause_removed": "The cause of the failure is removed.",
    "compared_again": "To be read and compared once more.",
    "not_to_stay": "What was sent must not stay at the target.",
    "not_needed": "The thread is not needed at the target.",
}
"""Standard reasons for the audit trail, by name; free text may follow."""

KIND_TEMPLATES: Mapping[str, str] = {
    K.BACKFILL: "growth_wanted",
    K.VERIFY: "compared_again",
    K.RETRY: "cause_removed",
    K.ACCEPT: "application_continued",
    K.REMIGRATE: "difference_confirmed",
    K.ROLLBACK: "not_to_stay",
    K.EXCLUDE: "not_needed",
}
"""The standard reason of each action, where it is not the one that the reason for the review recommends."""


FITTING_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    K.BACKFILL: ("growth_wanted", "target_recovered", "checked"),
    K.VERIFY: ("compared_again", "doubt_settled", "target_recovered", "cause_removed", "checked"),
    K.RETRY: ("cause_removed", "target_recovered", "doubt_settled", "rollback_finished", "checked"),
    K.ACCEPT: ("application_continued", "growth_not_needed", "checked"),
    K.REMIGRATE: (
        *("difference_confirmed", "conversation_lost", "plan_outdated", "deletion_followed"),
        *("growth_wanted", "doubt_settled", "checked"),
    ),
    K.ROLLBACK: ("not_to_stay", "rollback_finished", "deletion_followed", "not_needed", "checked"),
    K.EXCLUDE: ("not_needed", "growth_not_needed", "checked"),
}
"""The standard reasons that make sense for each action."""


def reason_text(template: str, text: str) -> str:
    """The reason as the audit trail keeps it: the standard one, then what was typed."""
    return " ".join(part for part in (TEMPLATES.get(template, ""), text.strip()) if part)
