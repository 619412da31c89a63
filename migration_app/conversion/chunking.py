"""Cutting a plan into appends: at most 20 items and so many bytes, a call and its output never apart.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence

from migration_app.contracts import MAX_ITEMS_PER_CALL, PlannedItem

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
    ``max_bytes`` by itself (an item, or a call with its output) goes alone. ``limit`` must be 2 or more.
    """
    if limit < 2 or max_bytes < 1 or start < 0:
        raise ValueError(
            f"limit must be 2 or more, max_bytes 1 or more, start 0 or more: {limit}, {max_bytes}, {start}"
        )
    sizes = [item_bytes(planned) for planned in items]
    chunks: list[range] = []
    begin = end = start

    def fits(first: int, last: int) -> bool:
        return last - first <= limit and sum(sizes[first:last]) <= max_bytes

    for group in _groups(items, start):
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
    return tuple(chunks)


def item_bytes(planned: PlannedItem) -> int:
    """Bytes of the item in a request's JSON, with its separator."""
    body = json.dumps(planned.item, ensure_ascii=False, separators=(",", ":"))
    return len(body.encode(errors="surrogatepass")) + 1


def _groups(items: Sequence[PlannedItem], start: int) -> Iterator[range]:
    begin = start
    for _, members in itertools.groupby(items[start:], key=lambda planned: planned.group):
        end = begin + sum(1 for _ in members)
        yield range(begin, end)
        begin = end


def _pairs(items: Sequence[PlannedItem], group: range, limit: int) -> Iterator[range]:
    """The parts of a group that may go apart: a call stays with what follows it."""
    begin = group.start
    for index in group:
        is_call = items[index].item.get("type") == "function_call"
        if not is_call or index + 1 == group.stop or index + 1 - begin == limit:
            yield range(begin, index + 1)
            begin = index + 1
