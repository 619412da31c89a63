"""The actions of the thread list: every kind of batch, and others. Texts only, no requests."""

from __future__ import annotations

from collections.abc import Mapping

from migration_app.batches.kinds import BATCH_KINDS, ThreadAction
from migration_app.models import Batch

_PREFLIGHT = ThreadAction(
    name="preflight",
    title="Preflight",
    permission="migration_app.preflight_thread",
    icon="rule",
    button="Download as CSV",
    lead="Shows what a backfill of these threads would send. It sends nothing and changes nothing.",
    counted_as=Batch.Kind.BACKFILL,
    reason_required=False,
)
_ERASE_WORDS = ThreadAction(
    name="erase_server_messages",
    title="Erase server messages",
    permission="migration_app.erase_server_messages",
    icon="ink_eraser",
    button="Erase messages",
    lead="Erases messages of the target or the source about these threads, which may quote content, and what was "
    "read of their conversations for the review. "
    "Code, status and request id of each refusal stay.",
    dangerous=True,
    warning="They can't be brought back.",
)
_EXPORT = ThreadAction(
    name="export",
    title="Export mapping",
    permission="migration_app.export_mapping",
    icon="download",
    button="Download CSV",
    lead="Downloads one row for each thread, with the conversation it became. Cells that a spreadsheet would "
    "run as a formula are made safe.",
    reason_required=False,
)
PREFLIGHT, ERASE_WORDS, EXPORT = _PREFLIGHT.name, _ERASE_WORDS.name, _EXPORT.name

ACTIONS: Mapping[str, ThreadAction] = {
    action.name: action
    for action in (
        BATCH_KINDS[Batch.Kind.SNAPSHOT],
        _PREFLIGHT,
        *(kind for kind in BATCH_KINDS.values() if kind.name != Batch.Kind.SNAPSHOT),
        _ERASE_WORDS,
        _EXPORT,
    )
}
"""In the order in which the list offers them."""
