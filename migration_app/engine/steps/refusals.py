"""Finding the item that the target refuses: a refused append is halved until one item, or one pair, is left.

A refused append adds nothing (recorded), so halves can be sent in its place. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migration_app.contracts import PlannedItem, ThreadPlan
from migration_app.gateways.errors import GatewayError, Outcome

_ABOUT_THE_BODY = frozenset({400, 413, 422})


def is_about_items(error: GatewayError) -> bool:
    """Whether the target refused the content, rather than the sender, the address or the rate."""
    return error.permanent and error.outcome is Outcome.NOTHING and error.status in _ABOUT_THE_BODY


def halves(items: Sequence[PlannedItem], part: range) -> tuple[range, range] | None:
    """Cut a part as near its middle as can be, never between a call and its output. None if it can't be cut."""
    middle = part.start + len(part) / 2
    cuts = [
        position
        for position in range(part.start + 1, part.stop)
        if not _pair(items[position - 1], items[position])
    ]
    if not cuts:
        return None
    cut = min(cuts, key=lambda position: abs(position - middle))
    return range(part.start, cut), range(cut, part.stop)


def next_replacements(replacements: Sequence[Mapping[str, Any]], positions: range) -> list[dict[str, Any]]:
    """Add a fallback, or the next one, for the items at these positions, as kept with the conversation."""
    levels = {entry["position"]: entry["level"] for entry in replacements}
    kept = [dict(entry) for entry in replacements if entry["position"] not in positions]
    return kept + [{"position": position, "level": levels.get(position, -1) + 1} for position in positions]


def is_lossless(plan: ThreadPlan, positions: range) -> bool:
    """Whether the fallbacks at these positions carry everything that the refused items did."""
    places = {f"items[{position}]" for position in positions}
    found = {
        finding.code for finding in plan.findings if finding.place in places and "refused" in finding.code
    }
    return found == {"item_refused_reshaped"}


def _pair(before: PlannedItem, after: PlannedItem) -> bool:
    call_id = after.item.get("call_id")
    return call_id is not None and before.item.get("call_id") == call_id
