"""The actions on threads: what each is called, needs and tells before it starts. Words only, no requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from migration_app.batches.kinds import FOREIGN_TOO
from migration_app.models import Batch

PREFLIGHT = "preflight"
EXPORT = "export"
ERASE_WORDS = "erase_words"


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """A box on the confirm page that is not ticked by itself; ``name`` is the batch's setting."""

    name: str
    label: str
    warning: str


@dataclasses.dataclass(frozen=True, slots=True)
class ActionKind:
    """One action: its permission, its words, and whether it starts a batch.

    ``eligible_as`` names the batch kind whose rule decides which threads are taken; empty: all of them.
    ``sends`` tells whether the figures of a backfill (items, chunks, calls) say something about it, ``calls``
    whether its batch calls an API, so that there is a speed to choose. ``warning`` stands out on the confirm page.
    """

    name: str
    title: str
    permission: str
    icon: str
    button: str
    lead: str
    eligible_as: str
    starts_batch: bool = True
    sends: bool = False
    calls: bool = True
    reason_required: bool = True
    dangerous: bool = False
    warning: str = ""
    options: tuple[Option, ...] = ()


ACTIONS: Mapping[str, ActionKind] = {
    kind.name: kind
    for kind in (
        ActionKind(
            Batch.Kind.SNAPSHOT,
            "Snapshot",
            "migration_app.snapshot_thread",
            "photo_camera",
            "Start snapshot",
            "Fetches each thread with its messages, runs and steps from the live source and stores the answers "
            "unchanged. Nothing is sent to the target.",
            Batch.Kind.SNAPSHOT,
        ),
        ActionKind(
            PREFLIGHT,
            "Preflight",
            "migration_app.preflight_thread",
            "rule",
            "Download as CSV",
            "Shows what a backfill of these threads would send. It sends nothing and changes nothing.",
            Batch.Kind.BACKFILL,
            starts_batch=False,
            sends=True,
            reason_required=False,
        ),
        ActionKind(
            Batch.Kind.BACKFILL,
            "Backfill",
            "migration_app.backfill_thread",
            "move_up",
            "Start backfill",
            "Creates a conversation for each thread, appends its items in order, reads everything back and "
            "compares. A thread that already has a conversation goes on where it stopped.",
            Batch.Kind.BACKFILL,
            sends=True,
        ),
        ActionKind(
            Batch.Kind.VERIFY,
            "Verify",
            "migration_app.verify_thread",
            "verified",
            "Start verification",
            "Reads each conversation back from the target and compares it with the snapshot. Nothing is written "
            "to the target.",
            Batch.Kind.VERIFY,
        ),
        ActionKind(
            Batch.Kind.RESOURCES,
            "Check files",
            "migration_app.verify_thread",
            "inventory_2",
            "Start check",
            "Asks the target whether the files and vector stores that these threads need are still there. What is "
            "missing or expired becomes a finding. Nothing is written to the target.",
            Batch.Kind.RESOURCES,
        ),
        ActionKind(
            Batch.Kind.RETRY,
            "Retry",
            "migration_app.retry_thread",
            "replay",
            "Start retry",
            "Takes up threads that stopped: those without a snapshot are fetched again, those with one are "
            "backfilled from where they stand, excluded ones come back into the estate.",
            Batch.Kind.RETRY,
            sends=True,
        ),
        ActionKind(
            Batch.Kind.KEEP,
            "Keep as it is",
            "migration_app.review_thread",
            "bookmark_added",
            "Keep these conversations",
            "For threads in review whose application has gone on with the conversation: reads what was sent, and if "
            "it still stands as it was sent, the thread is verified as far as that. Nothing is sent.",
            Batch.Kind.KEEP,
            warning="What the source has beyond what was sent will not be in the conversation: it becomes a lossy "
            "finding of the thread, and later messages of the source are never appended to this conversation.",
        ),
        ActionKind(
            Batch.Kind.ANEW,
            "Begin anew",
            "migration_app.review_thread",
            "restart_alt",
            "Begin anew",
            "For threads in review: leaves the old conversation at the target, and backfills the whole thread into a "
            "new one.",
            Batch.Kind.ANEW,
            sends=True,
            dangerous=True,
            warning="The mapping will change: each of these threads gets another conversation id. What applications "
            "added themselves stays in the old conversations only, which are not deleted; the console remembers them.",
        ),
        ActionKind(
            Batch.Kind.ROLLBACK,
            "Roll back",
            "migration_app.rollback_thread",
            "undo",
            "Delete what was sent",
            "Deletes what was sent to the target, items first, then the conversation, and confirms it by reading. "
            "Snapshots and the audit trail stay, so Backfill can begin anew. Conversations that hold anything else "
            "are left alone and go to review.",
            Batch.Kind.ROLLBACK,
            dangerous=True,
            warning="Deleted items can't be brought back. An application that still uses one of these conversations "
            "will fail.",
            options=(
                Option(
                    FOREIGN_TOO,
                    "Delete what is not ours too",
                    "Whatever applications added to these conversations is deleted with them. The console has no copy "
                    "of it: it is lost for good.",
                ),
            ),
        ),
        ActionKind(
            Batch.Kind.EXCLUDE,
            "Exclude",
            "migration_app.exclude_thread",
            "block",
            "Exclude threads",
            "Takes threads out of the migration. Nothing is deleted; Retry brings them back.",
            Batch.Kind.EXCLUDE,
            calls=False,
            dangerous=True,
        ),
        ActionKind(
            ERASE_WORDS,
            "Erase servers' words",
            "migration_app.erase_server_words",
            "ink_eraser",
            "Erase the words",
            "Erases what the target or the source said of these threads in its own words, which may quote a message. "
            "Code, status and request id of each refusal stay.",
            "",
            starts_batch=False,
            dangerous=True,
            warning="They can't be brought back.",
        ),
        ActionKind(
            EXPORT,
            "Export mapping",
            "migration_app.export_mapping",
            "download",
            "Download CSV",
            "Downloads one row for each thread, with the conversation it became. Cells that a spreadsheet would "
            "run as a formula are made safe.",
            "",
            starts_batch=False,
            reason_required=False,
        ),
    )
}
