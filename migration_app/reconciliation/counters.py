"""The counters of lists, dashboard and usage against the rows themselves. Reads every thread and run once."""

from __future__ import annotations

from migration_app.counters import counters_differences, tally_lines
from migration_app.reconciliation.kinds import Examined, Found

_KEPT_CHARACTERS = 200


def tallies_check() -> Examined:
    """Compare every counter with its rows; one statement each, so each sees one moment."""
    found = []
    for text in counters_differences():
        scope, _, difference = text.rpartition(": ")
        found.append(Found("tally_differs", subject=scope[:_KEPT_CHARACTERS], found=f"off by {difference}"))
    return Examined(len(tally_lines()), tuple(found))
