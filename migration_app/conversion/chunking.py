"""Cutting a plan into appends: at most 20 items and so many bytes, a call and its output never apart.

If possible, each append holds an item with an id of ours: a target that refuses a repeated id
then refuses the whole repeated append, which makes repeating it safe.

Imports only ``contracts``, ``spill`` and this package.
"""

from __future__ import annotations

import bisect
import itertools
from array import array
from collections.abc import Iterator, Sequence

from migration_app.contracts import MAX_ITEMS_PER_CALL, PlannedItem, own_id_prefix
from migration_app.spill import Numbers, is_spilled

MAX_BYTES_PER_CALL = 8 * 1024 * 1024
"""JSON bytes of one append, by default: no limit is published, and gateways commonly refuse bodies over 10 MB."""


def chunk_items(
    items: Sequence[PlannedItem],
    start: int = 0,
    limit: int = MAX_ITEMS_PER_CALL,
    max_bytes: int = MAX_BYTES_PER_CALL,
) -> tuple[range, ...]:
    """Neighbouring ranges that cover ``items`` from ``start``, each at most ``limit`` items and ``max_bytes``.

    Groups stay whole where they fit; a larger one is cut after a function_call_output only. What is over
    ``max_bytes`` by itself (an item, or a call with its output) goes alone. A range without an item that carries
    an id of ours begins earlier, at the cost of the one before it, if both then hold one. ``limit`` must be 2 or
    more.
    """
    if limit < 2 or max_bytes < 1 or start < 0:
        raise ValueError(
            f"limit must be 2 or more, max_bytes 1 or more, start 0 or more: {limit}, {max_bytes}, {start}"
        )
    return _cut(items, start, limit, max_bytes)[0]


def plan_size(items: Sequence[PlannedItem]) -> tuple[int, int]:
    """The number of appends for the items, and their bytes as JSON; both in one pass."""
    chunks, size = _cut(items, 0, MAX_ITEMS_PER_CALL, MAX_BYTES_PER_CALL)
    return len(chunks), size


def _cut(
    items: Sequence[PlannedItem], start: int, limit: int, max_bytes: int
) -> tuple[tuple[range, ...], int]:
    chunks: list[range] = []
    begin = end = start
    starts, sums, own_ids = _groups(items, start)

    def fits(first: int, last: int) -> bool:
        return last - first <= limit and sums[last - start] - sums[first - start] <= max_bytes

    for group in itertools.starmap(range, itertools.pairwise(starts)):
        if fits(begin, group.stop):
            end = group.stop
            continue
        units = [group] if fits(group.start, group.stop) else list(_pairs(items, group, limit))
        for turn, unit in enumerate(units):
            if end > begin and (turn == 0 or not fits(begin, unit.stop)):
                chunks.append(range(begin, end))
                begin = end
            end = unit.stop
    if end > begin:
        chunks.append(range(begin, end))

    def has_own_id(first: int, last: int) -> bool:
        return own_ids.find(1, first - start, last - start) >= 0

    for number in range(len(chunks) - 1, 0, -1):
        before, chunk = chunks[number - 1], chunks[number]
        if has_own_id(chunk.start, chunk.stop):
            continue
        # At the nearest cut that includes an id: if that does not fit, or takes the last one, none will.
        latest = start + own_ids.rfind(1, before.start - start, before.stop - start)
        cut = starts[max(0, bisect.bisect(starts, latest) - 1)]
        if before.start < cut <= latest and fits(cut, chunk.stop) and has_own_id(before.start, cut):
            chunks[number - 1 : number + 1] = [range(before.start, cut), range(cut, chunk.stop)]
    return tuple(chunks), sums[-1]


def item_bytes(planned: PlannedItem) -> int:
    """Bytes of the item in a request's JSON, with its separator."""
    return len(planned.body) + 1


def _groups(items: Sequence[PlannedItem], start: int) -> tuple[Sequence[int], Sequence[int], bytearray]:
    """Where groups begin from ``start`` on, and the end; the bytes of all items before each; which carry our ids."""
    starts: Numbers | array[int]
    sums: Numbers | array[int]
    starts, sums = (Numbers(), Numbers([0])) if is_spilled(items) else (array("Q"), array("Q", [0]))
    own_ids = bytearray()
    total, current = 0, None
    for index in range(start, len(items)):
        planned = items[index]
        total += item_bytes(planned)
        sums.append(total)
        own_ids.append(bool(own_id_prefix(planned.item)))
        if planned.group != current:
            starts.append(index)
            current = planned.group
    starts.append(max(start, len(items)))
    return starts, sums, own_ids


def _pairs(items: Sequence[PlannedItem], group: range, limit: int) -> Iterator[range]:
    """The parts of a group that may go apart: a call stays with what follows it."""
    begin = group.start
    for index in group:
        is_call = items[index].item.get("type") == "function_call"
        if not is_call or index + 1 == group.stop or index + 1 - begin == limit:
            yield range(begin, index + 1)
            begin = index + 1
