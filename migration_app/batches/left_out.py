"""Why a batch leaves threads out, in words for the confirm page, the preflight's CSV and the command."""

from __future__ import annotations

from collections.abc import Mapping

from migration_app.models import Batch, Thread

S = Thread.Status

_IN_WORK = "It has work waiting or under way in another batch. Wait until that batch is over."

_LEFT_OUT: Mapping[tuple[str, str], str] = {
    (Batch.Kind.BACKFILL, S.REGISTERED): "It has no snapshot yet: import its archive, or run Snapshot first.",
    (Batch.Kind.BACKFILL, S.BLOCKED): "A finding blocks it: look at the thread, then use Retry or Exclude.",
    (Batch.Kind.BACKFILL, S.VERIFIED): "It is migrated and verified already.",
    (
        Batch.Kind.BACKFILL,
        S.NEEDS_REVIEW,
    ): "A person must look at it first; then use Retry, or decide about it.",
    (Batch.Kind.BACKFILL, S.FAILED): "It failed before: use Retry.",
    (Batch.Kind.BACKFILL, S.SOURCE_MISSING): "The source no longer has it, so there is nothing to send.",
    (Batch.Kind.BACKFILL, S.EXCLUDED): "It was excluded; Retry brings it back.",
    (Batch.Kind.SNAPSHOT, S.FAILED): "It failed after its snapshot was taken: use Retry.",
    (Batch.Kind.SNAPSHOT, S.EXCLUDED): "It was excluded; Retry brings it back.",
    (Batch.Kind.SNAPSHOT, S.ROLLED_BACK): "It has its snapshot and was rolled back.",
    (Batch.Kind.VERIFY, S.NEEDS_REVIEW): "Its conversation is not complete, so there is nothing to compare.",
    (Batch.Kind.EXCLUDE, S.VERIFIED): "It is migrated and verified already.",
    (Batch.Kind.ROLLBACK, S.ROLLED_BACK): "It is rolled back already.",
    (Batch.Kind.ROLLBACK, S.EXCLUDED): "It was excluded; Retry brings it back, then it can be rolled back.",
    (
        Batch.Kind.KEEP,
        S.NEEDS_REVIEW,
    ): "What it waits for is not a conversation that could be kept: see its page.",
    (Batch.Kind.ANEW, S.NEEDS_REVIEW): "It has no conversation that could be left: use Retry.",
    (Batch.Kind.EXCLUDE, S.EXCLUDED): "It is excluded already.",
}
_LEFT_OUT_OTHERWISE: Mapping[str, str] = {
    Batch.Kind.VERIFY: "It has no complete conversation to read back.",
    Batch.Kind.RESOURCES: "It has no snapshot yet, so nothing is known of its files.",
    Batch.Kind.RETRY: "It did not stop: there is nothing to retry.",
    Batch.Kind.ROLLBACK: "Nothing was sent for it, so there is nothing to delete.",
    Batch.Kind.KEEP: "It does not wait for a person, so there is nothing to decide.",
    Batch.Kind.ANEW: "It does not wait for a person, so there is nothing to decide.",
}


def left_out_reason(kind: str, status: str) -> str:
    """Say why threads of this status are not taken by a batch of this kind."""
    if status in {S.QUEUED, S.BACKFILLING}:
        return _IN_WORK
    return _LEFT_OUT.get((kind, status)) or _LEFT_OUT_OTHERWISE.get(kind) or _IN_WORK
