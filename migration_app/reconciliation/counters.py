"""The counters of lists and dashboard against the threads themselves. Reads every thread once."""

from __future__ import annotations

from migration_app.counters import tallies_differences, tally_lines
from migration_app.reconciliation.kinds import Found, Looked

_KEPT_CHARACTERS = 200


def tallies_look() -> Looked:
    """Hold every counter against its rows; one statement, so it sees one moment."""
    found = []
    for words in tallies_differences():
        scope, _, difference = words.rpartition(": ")
        found.append(Found("tally_differs", subject=scope[:_KEPT_CHARACTERS], found=f"off by {difference}"))
    return Looked(len(tally_lines()), tuple(found))
