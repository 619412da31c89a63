"""The table of batch kinds: what each takes, hands out, says and needs. Pages, commands and the engine's turn read it.

A new kind is a row here; CONTRIBUTING.md lists the steps. Must not import batches.batches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from migration_app.batches.hand_outs import HandOut, exclude, hand_out_work, queue, retry
from migration_app.models import Batch, Thread

S = Thread.Status
K = Batch.Kind
W = Thread.Work

FOREIGN_TOO = "foreign_too"
"""Setting of a roll back: delete what is in the conversations and not ours, too."""

_IN_WORK = "It has work waiting or under way in another batch. Wait until that batch is over."


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """A box on the confirm page, not ticked by itself; ``name`` is the batch's setting, ``flag`` the command's."""

    name: str
    label: str
    warning: str
    flag: str
    flag_help: str

    @property
    def dest(self) -> str:
        """What the flag is called among a command's options."""
        return self.flag.replace("-", "_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThreadAction:
    """Something that people do with a selection of threads: its permission, and what pages say of it.

    ``counted_as`` names the batch kind whose rule decides which threads are taken; empty: all of them. ``warning``
    is highlighted on the confirm page.
    """

    name: str
    title: str
    permission: str
    icon: str
    button: str
    lead: str
    counted_as: str = ""
    reason_required: bool = True
    dangerous: bool = False
    warning: str = ""
    options: tuple[Option, ...] = ()

    @property
    def counted(self) -> BatchKind | None:
        """The kind of batch whose figures the confirm page shows."""
        return BATCH_KINDS[self.counted_as] if self.counted_as else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchKind(ThreadAction):
    """One kind of batch.

    ``takes``: threads of a selection that it takes, as far as they have no pending work, which belongs to another
    batch; ``skipped`` says of the others, by status, why not, ``skipped_otherwise`` of those without a line there.
    ``converts``: policies mean something to it, and it sends items; ``converts_some``: only of threads with a snapshot
    that were not excluded; ``starts_over``: into new conversations. ``figures``: which calls the confirm page counts.
    ``calls_api``: there is a throttle to choose. ``approved``: above settings.APPROVAL_ABOVE_THREADS threads a second
    person approves it. ``must_verify``: its command fails unless all its threads end verified.
    ``verb`` and ``help`` are its command's texts; ``command_reason`` says why the command requires a reason.
    """

    takes: Q
    hand_out: HandOut
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)
    skipped_otherwise: str = _IN_WORK
    converts: bool = False
    converts_some: bool = False
    starts_over: bool = False
    figures: Literal["", "sends", "reads", "deletes"] = ""
    calls_api: bool = True
    needs_source: bool = False
    approved: bool = False
    must_verify: bool = False
    verb: str
    help: str
    command_reason: str = ""

    @property
    def counted(self) -> BatchKind:
        """Its own figures."""
        return self

    def skip_reason(self, status: str) -> str:
        """Say why threads of this status are not included."""
        if status in {S.QUEUED, S.BACKFILLING, S.ROLLING_BACK}:
            return _IN_WORK
        return self.skipped.get(status) or self.skipped_otherwise


_EXIT_ON_ERROR = "With --wait: exit 1 if any thread ends with an error."
_UNDECIDED = "It is not in review, so there is nothing to decide."
_EXCLUDED = "It was excluded; Retry includes it again."

BATCH_KINDS: dict[str, BatchKind] = {
    kind.name: kind
    for kind in (
        BatchKind(
            name=K.SNAPSHOT,
            title="Snapshot",
            permission="migration_app.snapshot_thread",
            icon="photo_camera",
            button="Start snapshot",
            lead="Fetches each thread with its messages, runs and steps from the live source and stores the answers "
            "unchanged. Nothing is sent to the target.",
            # What is backfilled too: a live source may have grown, and what is new in it then goes to review.
            takes=Q(
                status__in=[
                    S.REGISTERED,
                    S.SOURCE_MISSING,
                    S.SNAPSHOTTED,
                    S.BLOCKED,
                    S.BACKFILLED,
                    S.VERIFIED,
                    S.NEEDS_REVIEW,
                ]
            )
            | Q(status=S.FAILED, snapshot_at__isnull=True),
            skipped={
                S.FAILED: "It failed after its snapshot was taken: use Retry.",
                S.EXCLUDED: _EXCLUDED,
                S.ROLLED_BACK: "It has its snapshot and was rolled back.",
            },
            hand_out=hand_out_work(W.SNAPSHOT),
            needs_source=True,
            verb="snapshot",
            help=f"Fetch threads from the live source, unchanged. {_EXIT_ON_ERROR}",
        ),
        BatchKind(
            name=K.BACKFILL,
            title="Backfill",
            permission="migration_app.backfill_thread",
            icon="move_up",
            button="Start backfill",
            lead="Creates a conversation for each thread, appends its items in order, reads everything back and "
            "compares. A thread that already has a conversation is resumed where it stopped.",
            takes=Q(status__in=[S.SNAPSHOTTED, S.ROLLED_BACK, S.BACKFILLED])
            | Q(status=S.NEEDS_REVIEW, error_code="source_grown"),
            skipped={
                S.REGISTERED: "It has no snapshot yet: import its archive, or run Snapshot first.",
                S.BLOCKED: "A finding blocks it: check the thread, then use Retry or Exclude.",
                S.VERIFIED: "It is migrated and verified already.",
                S.NEEDS_REVIEW: "It needs a review first; then use Retry, or decide about it.",
                S.FAILED: "It failed before: use Retry.",
                S.SOURCE_MISSING: "The source no longer has it, so there is nothing to send.",
                S.EXCLUDED: _EXCLUDED,
            },
            hand_out=queue,
            converts=True,
            figures="sends",
            must_verify=True,
            verb="backfill",
            help="Copy threads into conversations and verify them. With --wait: exit 1 unless all are verified; of "
            "--all, those count that were not at an end before (blocked, failed, in review or without a snapshot).",
        ),
        BatchKind(
            name=K.VERIFY,
            title="Verify",
            permission="migration_app.verify_thread",
            icon="verified",
            button="Start verification",
            lead="Reads each conversation back from the target and compares it with the snapshot. Nothing is written "
            "to the target.",
            takes=Q(
                status__in=[S.BACKFILLED, S.VERIFIED, S.NEEDS_REVIEW],
                conversation__state__in=["complete", "verified"],
            ),
            skipped={S.NEEDS_REVIEW: "Its conversation is not complete, so there is nothing to compare."},
            skipped_otherwise="It has no complete conversation to read back.",
            hand_out=hand_out_work(W.VERIFY),
            figures="reads",
            verb="verify",
            help=f"Read conversations back and compare them with their snapshots. {_EXIT_ON_ERROR}",
        ),
        BatchKind(
            name=K.RESOURCES,
            title="Check files",
            permission="migration_app.verify_thread",
            icon="inventory_2",
            button="Start check",
            lead="Checks at the target whether the files and vector stores of these threads still exist. What is "
            "missing or expired becomes a finding. Nothing is written to the target.",
            takes=Q(snapshot_at__isnull=False) & ~Q(status__in=[S.QUEUED, S.BACKFILLING, S.ROLLING_BACK]),
            skipped_otherwise="It has no snapshot yet, so its files are unknown.",
            hand_out=hand_out_work(W.RESOURCES),
            verb="check",
            help="Check at the target whether the files and vector stores that threads need still exist. "
            f"{_EXIT_ON_ERROR}",
        ),
        BatchKind(
            name=K.RETRY,
            title="Retry",
            permission="migration_app.retry_thread",
            icon="replay",
            button="Start retry",
            lead="Retries threads that stopped: those without a snapshot are fetched again, those with one are "
            "resumed where they stopped, excluded ones are included again.",
            takes=Q(status__in=[S.FAILED, S.NEEDS_REVIEW, S.SOURCE_MISSING, S.BLOCKED, S.EXCLUDED]),
            skipped_otherwise="It did not stop: there is nothing to retry.",
            hand_out=retry,
            converts=True,
            converts_some=True,
            figures="sends",
            verb="retry",
            help=f"Retry threads that stopped, from where they stopped. {_EXIT_ON_ERROR}",
        ),
        BatchKind(
            name=K.ACCEPT,
            title="Accept as is",
            permission="migration_app.review_thread",
            icon="bookmark_added",
            button="Accept these conversations",
            lead="For threads in review whose application continued the conversation: reads what was sent, and "
            "if it is still there unchanged, the thread is verified up to that point. Nothing is sent.",
            # Reading it decides whether it can be accepted, not the code: a failed attempt has left another code.
            # What has only grown is Backfill's.
            takes=Q(status=S.NEEDS_REVIEW, conversation__state__in=["open", "complete", "verified"])
            & ~Q(error_code="source_grown"),
            skipped={S.NEEDS_REVIEW: "Its conversation can't be accepted as is: see its page."},
            skipped_otherwise=_UNDECIDED,
            hand_out=hand_out_work(W.ACCEPT),
            warning="What the source has beyond what was sent will not be in the conversation: it becomes a lossy "
            "finding of the thread, and later messages of the source are never appended to this conversation.",
            verb="accept",
            help="For threads in review: accept their conversations as is, if what was sent is still there. "
            f"What the source has beyond becomes a lossy finding. {_EXIT_ON_ERROR}",
            command_reason="it is a decision about what is left out.",
        ),
        BatchKind(
            name=K.REMIGRATE,
            title="Re-migrate",
            permission="migration_app.review_thread",
            icon="restart_alt",
            button="Re-migrate",
            lead="For threads in review: leaves the old conversation at the target, and backfills the whole thread "
            "into a new one.",
            takes=Q(
                status=S.NEEDS_REVIEW, conversation__state__in=["open", "complete", "verified", "deleting"]
            ),
            skipped={S.NEEDS_REVIEW: "It has no conversation to leave: use Retry."},
            skipped_otherwise=_UNDECIDED,
            hand_out=hand_out_work(W.REMIGRATE),
            converts=True,
            starts_over=True,
            figures="sends",
            dangerous=True,
            warning="The mapping will change: each of these threads gets another conversation id. What applications "
            "added stays in the old conversations only, which are not deleted and stay listed.",
            verb="re-migrate",
            help="For threads in review: leave the old conversation at the target, and backfill the whole thread into "
            f"a new one. The mapping changes. {_EXIT_ON_ERROR}",
            command_reason="these threads get other conversation ids.",
        ),
        BatchKind(
            name=K.ROLLBACK,
            title="Roll back",
            permission="migration_app.rollback_thread",
            icon="undo",
            button="Delete what was sent",
            lead="Deletes what was sent to the target, items first, then the conversation, and confirms it by reading. "
            "Snapshots and the audit trail stay, so Backfill can send them again. Conversations that hold other items "
            "are not touched and need review.",
            takes=Q(status__in=[S.BACKFILLED, S.VERIFIED, S.NEEDS_REVIEW])
            | Q(status__in=[S.SNAPSHOTTED, S.FAILED, S.BLOCKED], conversation__isnull=False),
            skipped={
                S.ROLLED_BACK: "It is rolled back already.",
                S.EXCLUDED: "It was excluded; Retry includes it again, then it can be rolled back.",
            },
            skipped_otherwise="Nothing was sent for it, so there is nothing to delete.",
            hand_out=hand_out_work(W.ROLLBACK),
            figures="deletes",
            approved=True,
            dangerous=True,
            warning="Deleted items can't be restored. An application that still uses one of these conversations "
            "will fail.",
            options=(
                Option(
                    FOREIGN_TOO,
                    "Delete what is not ours too",
                    "Everything that applications added to these conversations is deleted too. The console has no copy "
                    "of it: it is lost for good.",
                    flag="not-ours-too",
                    flag_help="delete also what applications added to these conversations: the console has no copy "
                    "of it",
                ),
            ),
            verb="roll back",
            help="Delete what was sent to the target for these threads, items first, then the conversation, and "
            "confirm it by reading. Many threads (including the person's other roll backs of the last hours), and "
            f"--not-ours-too, wait for a second person's approval. {_EXIT_ON_ERROR}",
            command_reason="deleted items can't be restored.",
        ),
        BatchKind(
            name=K.EXCLUDE,
            title="Exclude",
            permission="migration_app.exclude_thread",
            icon="block",
            button="Exclude threads",
            lead="Excludes threads from the migration. Nothing is deleted; Retry includes them again.",
            takes=Q(
                status__in=[
                    S.REGISTERED,
                    S.SNAPSHOTTED,
                    S.BLOCKED,
                    S.FAILED,
                    S.NEEDS_REVIEW,
                    S.SOURCE_MISSING,
                    S.ROLLED_BACK,
                    S.BACKFILLED,
                ]
            ),
            skipped={
                S.VERIFIED: "It is migrated and verified already.",
                S.EXCLUDED: "It is excluded already.",
            },
            hand_out=exclude,
            calls_api=False,
            dangerous=True,
            verb="exclude",
            help="Take threads out of the migration. Nothing is deleted; a retry brings them back.",
            command_reason="it is kept in the audit trail.",
        ),
    )
}


def batch_eligible(kind: str, threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Narrow threads to those that a batch of this kind takes now."""
    return threads.filter(BATCH_KINDS[kind].takes, pending_work="")


def kinds_that_take(thread_pk: int) -> list[str]:
    """The kinds that would take this thread now; none while it has pending work."""
    takes = {
        kind.name: ExpressionWrapper(Q(kind.takes, pending_work=""), BooleanField())
        for kind in BATCH_KINDS.values()
    }
    row = Thread.objects.filter(pk=thread_pk).annotate(
        **{f"takes_{name}": found for name, found in takes.items()}
    )
    found = row.values(*(f"takes_{name}" for name in takes)).first() or {}
    return [name for name in takes if found.get(f"takes_{name}")]
