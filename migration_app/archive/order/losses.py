"""Findings about objects that disagree, were rejected, or have unknown fields.

Standard library, contracts and this package only.
"""

from __future__ import annotations

from collections.abc import Sequence

from migration_app.archive.marks import Mark
from migration_app.contracts import Finding, Severity, SourceKind

_PLACES_NAMED = 5


def states_disagree(kind: SourceKind, object_id: str, places: Sequence[str]) -> Finding:
    """Two states of an object differ in these places."""
    named = ", ".join(places[:_PLACES_NAMED])
    more = len(places) - _PLACES_NAMED
    return Finding(
        code="object_states_disagree",
        severity=Severity.LOSSY,
        source_kind=kind,
        source_id=object_id,
        place=places[0],
        text=f"Two states of this {kind} differ in {named}"
        f"{f' and {more} more places' if more > 0 else ''}; the later one is used.",
        advice="Compare the states in the snapshot.",
    )


def object_rejected(mark: Mark) -> Finding:
    """An import rejected a part of the thread, and none has brought it since; or there were unknown fields."""
    if mark.is_note:
        return Finding(
            code="fields_unknown",
            severity=Severity.NOTE,
            source_kind="thread",
            source_id="",
            place="",
            text=f"Beside the objects of this thread are fields that the console does not know: {mark.reason}.",
            advice="Tell the developers if any of them holds content.",
        )
    what = f"{len(mark.likes)} messages" if len(mark.likes) > 1 else f"A {mark.kind}"
    if mark.kind == "thread":
        what = "Something of this thread"
    where = f" in line {mark.line_number:,} of an import" if mark.line_number else ""
    return Finding(
        code="object_rejected",
        severity=Severity.LOSSY,
        source_kind=mark.kind,
        source_id="" if mark.kind == "thread" else mark.id,
        place="",
        text=f"{what}{where} could not be read: {mark.reason}",
        advice="The reject file of the import holds the line. Fix it and import it again: this stays until "
        "an import has brought the missing part.",
    )
