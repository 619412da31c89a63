"""Colours and labels for statuses, grades and severities, the same on every page.

Types are django-unfold's label colours: success, info, warning, danger, primary, or empty for grey.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString

from migration_app.models import (
    Batch,
    BatchResult,
    Chunk,
    Conversation,
    PromptVersion,
    Resource,
    SourceImport,
    SourceObject,
    Thread,
)

T = Thread.Status

THREAD_STATUS: Mapping[str, str] = {
    T.REGISTERED: "",
    T.SNAPSHOTTED: "info",
    T.BLOCKED: "danger",
    T.QUEUED: "primary",
    T.BACKFILLING: "primary",
    T.BACKFILLED: "info",
    T.VERIFIED: "success",
    T.NEEDS_REVIEW: "warning",
    T.FAILED: "danger",
    T.SOURCE_MISSING: "warning",
    T.EXCLUDED: "",
    T.ROLLING_BACK: "primary",
    T.ROLLED_BACK: "warning",
}
FIDELITY: Mapping[str, str] = {
    "exact": "success",
    "transformed": "info",
    "lossy": "warning",
    "blocked": "danger",
}
SEVERITY: Mapping[str, str] = {
    "note": "",
    "transformed": "info",
    "lossy": "warning",
    "blocking": "danger",
}
BATCH_STATE: Mapping[str, str] = {
    Batch.State.WAITING: "warning",
    Batch.State.PREPARING: "primary",
    Batch.State.RUNNING: "primary",
    Batch.State.PAUSED: "warning",
    Batch.State.CANCELLING: "warning",
    Batch.State.CANCELLED: "",
    Batch.State.FINISHED: "success",
    Batch.State.FAILED: "danger",
}
RESULT: Mapping[str, str] = {
    BatchResult.Result.FAILED: "danger",
    BatchResult.Result.BLOCKED: "danger",
    BatchResult.Result.NEEDS_REVIEW: "warning",
    BatchResult.Result.SOURCE_MISSING: "warning",
    BatchResult.Result.CANCELLED: "",
    BatchResult.Result.CONTINUED: "",
}
"""What became of a thread in a batch; all other results are good."""
IMPORT_STATE: Mapping[str, str] = {
    SourceImport.State.WAITING: "",
    SourceImport.State.RUNNING: "primary",
    SourceImport.State.FINISHED: "success",
    SourceImport.State.FAILED: "danger",
    SourceImport.State.CANCELLED: "",
}
ASSISTANT_STATUS: Mapping[str, str] = {
    "registered": "",
    "snapshotted": "info",
    "queued": "primary",
    "converted": "success",
    "failed": "danger",
}
PROMPT_STATE: Mapping[str, str] = {
    PromptVersion.State.DRAFT: "",
    PromptVersion.State.IN_REVIEW: "warning",
    PromptVersion.State.APPROVED: "info",
    PromptVersion.State.REJECTED: "danger",
    PromptVersion.State.ACTIVE: "success",
    PromptVersion.State.RETIRED: "",
}
CONVERSATION_STATE: Mapping[str, str] = {
    Conversation.State.CREATING: "warning",
    Conversation.State.OPEN: "primary",
    Conversation.State.COMPLETE: "info",
    Conversation.State.VERIFIED: "success",
    Conversation.State.DELETING: "danger",
}
CHUNK_STATE: Mapping[str, str] = {
    Chunk.State.SENDING: "primary",
    Chunk.State.APPENDED: "success",
    Chunk.State.DELETING: "danger",
}
OBJECT_STATE: Mapping[str, str] = {
    SourceObject.State.CURRENT: "success",
    SourceObject.State.CONFLICT: "danger",
    SourceObject.State.SUPERSEDED: "",
}
RESOURCE_STATUS: Mapping[str, str] = {
    Resource.Status.ALIVE: "success",
    Resource.Status.MISSING: "danger",
    Resource.Status.EXPIRED: "warning",
}
RUN_STATUS: Mapping[str, str] = {
    "completed": "success",
    "failed": "danger",
    "expired": "danger",
    "cancelled": "warning",
    "cancelling": "warning",
    "incomplete": "warning",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Badge:
    """A coloured word."""

    text: str
    type: str = ""

    @property
    def html(self) -> SafeString:
        """As it stands on a page; a template's would take ten times as long, and a list has a hundred."""
        return _html(self)


@functools.lru_cache(maxsize=1024)
def _html(badge: Badge) -> SafeString:
    kind = f" mc-badge-{badge.type}" if badge.type else ""
    return format_html('<span class="mc-badge{}">{}</span>', kind, badge.text)


def _badge(value: str, types: Mapping[str, str]) -> Badge:
    return Badge(value.replace("_", " "), types.get(value, ""))


def thread_badge(status: str) -> Badge:
    """Badge of a thread's status."""
    return _badge(status, THREAD_STATUS)


def fidelity_badge(fidelity: str) -> Badge | None:
    """Badge of a grade, None where nothing was graded yet."""
    return _badge(fidelity, FIDELITY) if fidelity else None


def severity_badge(severity: str) -> Badge:
    """Badge of a finding's severity."""
    return _badge(severity, SEVERITY)


def progress_badge(state: str) -> Badge:
    """Badge of an import's state."""
    return _badge(state, IMPORT_STATE)


def batch_badge(state: str) -> Badge:
    """Badge of a batch's state."""
    return _badge(state, BATCH_STATE)


def result_badge(result: str) -> Badge:
    """Badge of what became of a thread in a batch."""
    return Badge(BatchResult.Result(result).label, RESULT.get(result, "success"))


def assistant_badge(status: str) -> Badge:
    """Badge of an assistant's status."""
    return _badge(status, ASSISTANT_STATUS)


def prompt_badge(state: str) -> Badge:
    """Badge of a prompt version's state."""
    return _badge(state, PROMPT_STATE)


def conversation_badge(state: str) -> Badge:
    """Badge of a conversation's state."""
    return Badge("being deleted" if state == "deleting" else state, CONVERSATION_STATE.get(state, ""))


def chunk_badge(state: str) -> Badge:
    """Badge of a chunk's state."""
    return Badge("being deleted" if state == "deleting" else state, CHUNK_STATE.get(state, ""))


def run_badge(status: str) -> Badge:
    """Badge of a source run's status; unknown words stay grey."""
    return _badge(status or "unknown", RUN_STATUS)


def resource_badge(status: str) -> Badge:
    """Badge of a file or vector store as the target reported it; empty: not checked."""
    return _badge(status or "not checked", RESOURCE_STATUS)


def object_badge(state: str) -> Badge:
    """Badge of a source object's state."""
    return _badge(state, OBJECT_STATE)


_NONE = SafeString('<span class="mc-soft">–</span>')


def badge_html(badge: Badge | None) -> SafeString:
    """A badge for a list's cell; a dash for none."""
    return badge.html if badge else _NONE
