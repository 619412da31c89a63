"""Two states of one message, run or step: the later one, with what only the earlier one has.

A later state may hold less than an earlier one: a completed run no longer names the calls it waited for, and a
list of steps may leave out calls that an event had. Nothing is lost by that. Standard library and
contracts only.
"""

from __future__ import annotations

import collections
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from migration_app.contracts import JsonObject, SourceKind

UNITED: Final[Mapping[SourceKind, frozenset[str]]] = {
    "message": frozenset({"content", "attachments", "file_ids"}),
    "run": frozenset({"required_action"}),
    "step": frozenset({"step_details"}),
}
"""The fields with content, in which the states are merged part by part."""

# Temporary: a later state without it ends it.
_PASSING = frozenset({"status", "last_error", "incomplete_details", "expires_at"})


def united(
    kind: SourceKind, earlier: JsonObject, later: JsonObject, *, final: bool, growing: bool
) -> tuple[JsonObject, list[str]]:
    """The later state with everything that only the earlier one has, and the places where they disagree.

    Where they disagree, the later one counts. ``growing``: text may be a prefix of the later text, as while an answer
    is written; ``final``: the later state is finished, so text that is shorter there was shortened.
    """
    union = _Union(final=final, growing=growing)
    result = dict(later)
    for name, said in earlier.items():
        if name in UNITED[kind]:
            result[name] = union.of(said, later.get(name), name)
        elif name not in _PASSING and _empty(later.get(name)):
            result[name] = said
    return result, union.disagreements


class _Union:
    """Merges values, and collects the places where they disagree."""

    def __init__(self, *, final: bool, growing: bool) -> None:
        self.disagreements: list[str] = []
        self._final = final
        self._growing = growing

    def of(self, earlier: Any, later: Any, place: str) -> Any:
        """The later value, with what only the earlier one has."""
        if _empty(later):
            return earlier
        if _empty(earlier) or earlier == later:
            return later
        if isinstance(earlier, dict) and isinstance(later, dict) and _same_type(earlier, later):
            parts = {
                name: self.of(part, later.get(name), f"{place}.{name}") for name, part in earlier.items()
            }
            return {**later, **parts}
        if isinstance(earlier, list) and isinstance(later, list):
            return self._lists(earlier, later, place)
        if isinstance(earlier, str) and isinstance(later, str) and self._growing:
            if later.startswith(earlier):
                return later
            if earlier.startswith(later) and not self._final:
                return earlier
        self.disagreements.append(place)
        return later

    def _lists(self, earlier: Sequence[Any], later: Sequence[Any], place: str) -> list[Any]:
        """The later list; elements that only the earlier one has follow their former predecessor."""
        values = list(later)
        only_earlier: dict[int, list[Any]] = collections.defaultdict(list)
        behind = -1
        for part, partner in zip(earlier, self._partners(earlier, later, place), strict=True):
            if partner is None:
                only_earlier[behind].append(part)
            else:
                values[partner] = self.of(part, later[partner], f"{place}[{partner}]")
                behind = partner
        result = only_earlier[-1]
        for position, value in enumerate(values):
            result += [value, *only_earlier[position]]
        return result

    def _partners(self, earlier: Sequence[Any], later: Sequence[Any], place: str) -> list[int | None]:
        """For each earlier element its position in the later list, None if it is not there.

        By id if there is one; else the first that includes its content; else the one in its own place.
        """
        free = dict.fromkeys(range(len(later)))
        by_name = {name: position for position, name in enumerate(_names(later, place)) if name is not None}
        partners: list[int | None] = []
        for part, name in zip(earlier, _names(earlier, place), strict=True):
            if name is not None:
                found = by_name.get(name)
            else:
                found = next((at for at in free if self._goes_with(part, later[at])), None)
            partners.append(found)
            free.pop(-1 if found is None else found, None)
        for position, part in enumerate(earlier):
            if partners[position] is None and position in free and _alike(part, later[position], place):
                partners[position] = position
        return partners

    def _goes_with(self, earlier: Any, later: Any) -> bool:
        trial = _Union(final=self._final, growing=self._growing)
        trial.of(earlier, later, "")
        return not trial.disagreements


def _names(values: Sequence[Any], place: str) -> list[Hashable]:
    """What identifies each element regardless of its place: its id, and the number of earlier repetitions."""
    seen: collections.Counter[Hashable] = collections.Counter()
    names: list[Hashable] = []
    for value in values:
        name: Hashable = None
        if isinstance(value, dict):
            said = next((value[key] for key in ("id", "file_id") if value.get(key)), None)
            name = said if isinstance(said, str | int) else None
        elif place.endswith("_ids") and isinstance(value, str):
            name = value
        if name is not None:
            seen[name] += 1
            name = (name, seen[name])
        names.append(name)
    return names


def _alike(earlier: Any, later: Any, place: str) -> bool:
    """Whether two elements in one place can be two states of the same, which then disagree."""
    if _names([earlier], place) != [None] or _names([later], place) != [None]:
        return False
    if isinstance(earlier, dict) and isinstance(later, dict):
        return _same_type(earlier, later)
    return type(earlier) is type(later)


def _same_type(earlier: JsonObject, later: JsonObject) -> bool:
    return earlier.get("type", later.get("type")) == later.get("type", earlier.get("type"))


def _empty(value: Any) -> bool:
    return value is None or value in ({}, [])
