"""Call ids that the target takes: 1 to 64 characters, each one once in a conversation.

Changed ids are derived from the source, so that converting again gives the same ones. Imports only this
package.
"""

from __future__ import annotations

import hashlib

from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.text import as_id, label, shape_of

MAX_CALL_ID = 64
"""Characters of a call_id (official description, FunctionCallOutputItemParam)."""


def target_call_id(source_call_id: object, origin: str, used: set[str], notes: Notes, place: str) -> str:
    """The call's id in the target; ``used`` gains it. ``origin`` names a call that has no id of its own."""
    wanted = as_id(source_call_id)
    if wanted and not isinstance(source_call_id, str):
        notes.add("call_id_not_string", place, call_id=label(wanted), shape=shape_of(source_call_id))
    elif isinstance(source_call_id, str) and wanted != source_call_id:
        notes.add("lone_surrogate", place)
    if not wanted:
        call_id = _derived(f"missing:{origin}")
        notes.add("call_id_missing", place, call_id=call_id)
    elif len(wanted) > MAX_CALL_ID:
        call_id = _derived(f"long:{wanted}")
        notes.add("call_id_shortened", place, length=len(wanted), call_id=call_id)
    else:
        call_id = wanted
    if call_id in used:
        repeated, turn = call_id, 2
        while call_id in used:
            call_id = _derived(f"repeated:{turn}:{repeated}")
            turn += 1
        notes.add("call_id_repeated", place, call_id=label(repeated), new_id=call_id)
    used.add(call_id)
    return call_id


def _derived(seed: str) -> str:
    return "call_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
