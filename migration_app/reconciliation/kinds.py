"""The checks of a reconciliation and every kind of discrepancy: how much it weighs, and what to do.

A table and nothing else; the report, the console's pages and docs/runbook.md speak from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from migration_app.models import Discrepancy

_ERROR = Discrepancy.Severity.ERROR
_WARNING = Discrepancy.Severity.WARNING
_INFORMATION = Discrepancy.Severity.INFORMATION

CHECKS: Mapping[str, str] = {
    "work": "leases, batches and imports that nobody works on",
    "records": "statuses, conversations and chunks against each other",
    "tallies": "the counters of lists and dashboard against the rows",
    "orphans": "left at the target without a thread: unconfirmed creates, conversations given up in doubt",
    "snapshots": "stored pages against their digests and the counts of their thread",
    "objects": "stored assistants, files and vector stores against their digests",
    "target": "verified and backfilled conversations, read back from the target",
    "live": "the newest message at the live source against the snapshot",
}
"""Every check, in the order in which they run: what calls no API first."""

DEFAULT_CHECKS = tuple(name for name in CHECKS if name != "live")


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of discrepancy. ``reviewable``: its thread may be sent to review."""

    severity: Discrepancy.Severity
    title: str
    advice: str
    reviewable: bool = False


KINDS: Mapping[str, Kind] = {
    # --- target
    "conversation_missing": Kind(
        _ERROR,
        "The target does not know the conversation.",
        "Check that the key belongs to the right project, then who deleted it. Send the thread to review.",
        reviewable=True,
    ),
    "difference": Kind(
        _ERROR,
        "The conversation is not what was sent.",
        "Send the thread to review: its page shows both sides, and the choices.",
        reviewable=True,
    ),
    "items_twice": Kind(
        _ERROR,
        "Items that were sent are there twice: an append acted a second time, after it was considered lost.",
        "Send the thread to review, then re-migrate: repeated items would be read as said twice.",
        reviewable=True,
    ),
    "metadata_differs": Kind(
        _WARNING,
        "The conversation's metadata is not what was sent.",
        "If its application did not change it: send the thread to review.",
        reviewable=True,
    ),
    "continued": Kind(
        _INFORMATION,
        "The application continued the conversation: everything that was sent precedes what is new.",
        "Nothing. Should the source grow too, the thread goes to review and is never interleaved.",
    ),
    "target_unreadable": Kind(
        _WARNING,
        "The conversation could not be read.",
        "Reconcile again when the target is well.",
    ),
    # --- live
    "source_ahead": Kind(
        _WARNING,
        "The live source has a newer message than the snapshot.",
        "Snapshot the thread, then backfill it: what is new is appended.",
    ),
    "source_gone": Kind(
        _INFORMATION,
        "The live source no longer has the thread.",
        "Nothing: the snapshot stays. It can't be taken again.",
    ),
    "source_unreadable": Kind(
        _WARNING,
        "The live source could not be read.",
        "Reconcile again when the source is well.",
    ),
    # --- snapshots, objects
    "snapshot_missing": Kind(
        _ERROR,
        "The thread claims a snapshot and has no page.",
        "Restore it from a backup, or import its archive (or take the snapshot) again.",
    ),
    "snapshot_damaged": Kind(
        _ERROR,
        "A stored page is not what was written: its digest differs.",
        "Check the disk and memory of the database server. Restore the page from a backup.",
    ),
    "snapshot_gap": Kind(
        _ERROR,
        "Pages are missing between the first and the last.",
        "Restore them from a backup.",
    ),
    "snapshot_unassessed": Kind(
        _WARNING,
        "Pages came in after the thread was last assessed.",
        "An import or snapshot ended half-way: run it again.",
    ),
    "counts_differ": Kind(
        _WARNING,
        "The thread's counts are not those of its pages.",
        "Take the snapshot or import the archive again: that recalculates the counts. The pages are right.",
    ),
    "object_damaged": Kind(
        _ERROR,
        "A stored object is not what was written: its digest differs.",
        "Check the disk and memory of the database server. Restore the object from a backup.",
    ),
    # --- records
    "status_contradicts": Kind(
        _ERROR,
        "The thread's status and its conversation contradict each other.",
        "Verify the thread; if that can't be started, roll it back or exclude it. Report this as a fault.",
    ),
    "conversation_unfinished": Kind(
        _INFORMATION,
        "A conversation was begun and not finished.",
        "Retry the thread: it is resumed where it was. Or exclude it, and the part that was sent stays there.",
    ),
    "create_unresolved": Kind(
        _WARNING,
        "A create was sent, its answer never recorded, and nobody works on the thread.",
        "Retry the thread: the unconfirmed create then goes to the orphan ledger.",
    ),
    "rollback_unfinished": Kind(
        _WARNING,
        "A roll back was begun and not finished: part of the conversation is deleted.",
        "Roll the thread back again: it is resumed where it was.",
    ),
    "lease_without_work": Kind(
        _ERROR,
        "The thread is in a worker's hands without any work to do.",
        "Report this as a fault; the lease holds nothing back.",
    ),
    "chunk_in_doubt": Kind(
        _WARNING,
        "A chunk was sent, its answer never recorded, and nobody works on the thread.",
        "Retry the thread: the conversation is read before anything is sent.",
    ),
    "chunk_gap": Kind(
        _ERROR,
        "The chunks do not follow each other without a gap.",
        "Verify the thread. Report this as a fault.",
    ),
    "chunk_ids_missing": Kind(
        _ERROR,
        "A chunk that was appended holds another number of item ids than of items.",
        "Verify the thread. Report this as a fault.",
    ),
    "item_count_differs": Kind(
        _ERROR,
        "The chunks hold another number of items than the conversation claims.",
        "Verify the thread. Report this as a fault.",
    ),
    "item_id_twice": Kind(
        _ERROR,
        "One item id is in two places.",
        "Verify the threads named: the target may have given back an older item's content.",
        reviewable=True,
    ),
    # --- work
    "lease_forgotten": Kind(
        _WARNING,
        "A lease ran out long ago and no worker has taken the thread up.",
        "Start workers (manage.py rqworker); each of them finds such threads.",
    ),
    "batch_stalled": Kind(
        _WARNING,
        "A batch is being prepared or cancelled and has had no heartbeat for a while.",
        "Start workers; if some run, their log says why.",
    ),
    "batch_idle": Kind(
        _WARNING,
        "A batch is running and none of its threads is in a worker's hands, although some could be taken.",
        "Start workers; if some run, their log says why.",
    ),
    "batch_waits_long": Kind(
        _WARNING,
        "A batch is running and all its threads wait for a time that is far away.",
        "Check the clocks of the database server; retry these threads.",
    ),
    "batch_not_closed": Kind(
        _WARNING,
        "A batch is running and has no work left.",
        "Start a worker: it closes the batch.",
    ),
    "import_stalled": Kind(
        _WARNING,
        "An import is running and has had no heartbeat for a while.",
        "An upload is taken up by any worker. If it was a command, run it again: nothing comes in twice.",
    ),
    "import_waiting": Kind(
        _WARNING,
        "An upload waits for a worker.",
        "Start a worker (manage.py rqworker).",
    ),
    # --- tallies, orphans
    "tally_differs": Kind(
        _ERROR,
        "A counter is not the number of its rows.",
        "Lists and dashboard show it wrong; the rows are right. Rebuild them, here or by manage.py rebuild_counters.",
    ),
    "orphans_open": Kind(
        _INFORMATION,
        "Creates whose answer was lost, and nobody has dealt with: empty conversations may exist.",
        "Open the orphan ledger; close each entry with a note.",
    ),
    "given_up_stays": Kind(
        _WARNING,
        "Conversations were given up in doubt, and the target has no way to delete them.",
        "Former conversations says what stays of each. Ask who runs the target.",
    ),
    "given_up_late": Kind(
        _WARNING,
        "Conversations were given up in doubt, and are still not deleted.",
        "Start a worker (manage.py rqworker); its log says what the target answers.",
    ),
    "given_up_in_use": Kind(
        _ERROR,
        "A conversation that was given up in doubt is that of a thread.",
        "It is not deleted. Report this as a fault.",
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A discrepancy before it is stored. Text without message content."""

    code: str
    thread_pk: int | None = None
    subject: str = ""
    claimed: str = ""
    found: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Examined:
    """What one step of a check examined: rows it judged, and rows ``skipped`` because of work on them."""

    looked: int
    found: tuple[Found, ...] = ()
    skipped: int = 0
