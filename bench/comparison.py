"""One run beside an earlier one: the ratio of the medians, and whether the rounds show any difference at all.

Standard library only.
"""

from __future__ import annotations

import statistics

from bench.figures import Table, values_text
from bench.results import Measured, Result

NONE_SHOWN = "no difference shown"
_FEWEST_ROUNDS = 2
_QUIET = 0.1


def compared(earlier: Result, now: Result) -> Table:
    """Every figure that both runs have, with what became of it."""
    before = {figure.key: figure for figure in earlier.figures}
    pairs = [(before[figure.key], figure) for figure in now.figures if figure.key in before]
    rows = tuple(
        (
            f"{new.section}: {new.row}",
            new.column,
            values_text(old.values, old.unit),
            values_text(new.values, new.unit),
            ratio_text(old, new),
            difference(old, new),
        )
        for old, new in pairs
    )
    return Table(
        f"Against {earlier.commit}, measured {earlier.began}",
        ("what", "figure", "then", "now", "now ÷ then", "difference"),
        rows,
        tuple(_notes(earlier, now, len(pairs))),
    )


def ratio_text(old: Measured, new: Measured) -> str:
    """The ratio of the medians; a dash where the earlier one is 0."""
    base = statistics.median(old.values)
    return f"{statistics.median(new.values) / base:.2f}×" if base else "–"


def difference(old: Measured, new: Measured) -> str:
    """Say which is higher, if every round of one is above every round of the other."""
    if min(len(old.values), len(new.values)) < _FEWEST_ROUNDS:
        return "one round only"
    if min(new.values) > max(old.values):
        return "higher"
    if max(new.values) < min(old.values):
        return "lower"
    return NONE_SHOWN


def _notes(earlier: Result, now: Result, shared: int) -> list[str]:
    notes = [f"{NONE_SHOWN}: the rounds of both runs overlap."]
    if earlier.machine != now.machine:
        notes.append(f"Then on another machine or with other versions: {earlier.machine}")
    if dict(earlier.options) != dict(now.options):
        notes.append(f"Then with other options: {_options(earlier)}; now: {_options(now)}")
    notes += [
        f"{name}: others took {earlier.others[name]:.0%} of the machine's CPU then, {share:.0%} now."
        for name, share in now.others.items()
        if name in earlier.others and max(share, earlier.others[name]) > _QUIET
    ]
    if missing := len(now.figures) - shared:
        notes.append(f"{missing} figures of this run are not in the earlier one.")
    return notes


def _options(result: Result) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(result.options.items()) if value) or "none"
