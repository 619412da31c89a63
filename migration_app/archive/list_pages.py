"""Lists in a document: an API's list pages, bare lists, maps of these; and their ``has_more``.

Imports only ``contracts``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from migration_app.contracts import JsonObject


@dataclasses.dataclass(frozen=True, slots=True)
class ListPage:
    """A list in a document, identified by its number.

    ``continues``: its ``has_more``; None if it has none and may not be a page of an API's list.
    """

    number: int
    continues: bool | None = None


def has_more_of(page: JsonObject) -> bool | None:
    """The value of a list page's ``has_more``, None if it has none."""
    return said_yes(page.get("has_more"))


def continued_part(bundle: JsonObject, names: Iterable[str]) -> str:
    """The part that a bundle's has_more refers to: the first bare list that holds anything, else the first one."""
    bare = [name for name in names if any(isinstance(each, list) for each in lists_in(bundle.get(name)))]
    return next((name for name in bare if elements_in(bundle[name])), bare[0] if bare else "")


def said_yes(said: Any) -> bool | None:
    """The value of a boolean field, None if it has none; hand-made files write it as a string."""
    if isinstance(said, str):
        return said.strip().lower() not in {"", "false", "0", "no"}
    return None if said is None else bool(said)


def lists_in(part: Any) -> list[JsonObject | list[Any]]:
    """A list, a list page, a map of these (steps by run), or one object: as lists, list pages, and single objects."""
    if isinstance(part, list):
        return [part]
    if not isinstance(part, dict) or not part:
        return []
    if not is_page(part) and "id" not in part and "object" not in part:
        inner = list(part.values())
        if all(isinstance(each, list) or is_page(each) for each in inner):
            return inner
    return [part]


def is_page(part: Any) -> bool:
    """Whether it is an object that holds a list in ``data``."""
    return isinstance(part, dict) and isinstance(part.get("data"), list)


def elements_in(part: Any) -> list[Any]:
    """The objects themselves."""
    flat: list[Any] = []
    for each in lists_in(part):
        flat += each if isinstance(each, list) else each["data"] if is_page(each) else [each]
    return flat
