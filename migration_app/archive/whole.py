"""The short way for what nearly all documents are: one complete object of a thread, or a list page of nothing else.

Imports only this package and contracts.
"""

from __future__ import annotations

from typing import Any

from migration_app.archive.expanded import SourceObject
from migration_app.archive.identified import KINDS, OF_THREADS
from migration_app.archive.ids import id_fault
from migration_app.archive.list_pages import ListPage, has_more_of
from migration_app.archive.siblings import LISTS, says_more
from migration_app.contracts import JsonObject

# An object with one of these may be an event, a list, a bundle or the answer to a deletion.
MORE = LISTS | {"event", "data", "deleted", "message", "run", "run_step", "step"}
_IN_THREADS = OF_THREADS | {"thread"}
_BESIDE_DATA = ("first_id", "last_id", "has_more")
_OF_PAGES = frozenset({"object", "data", *_BESIDE_DATA})
_CONTAINERS = (dict, list)


def whole_object(value: Any, run_id: str = "", page: ListPage | None = None) -> SourceObject | None:
    """A complete object of a thread, to which its place adds nothing; None for all others.

    Nearly all documents and list elements are such objects. The result equals that of the general path, which
    tests verify.
    """
    if not isinstance(value, dict):
        return None
    name, object_id = value.get("object"), value.get("id")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not MORE.isdisjoint(value):
        return None
    thread_id = object_id if kind == "thread" else value.get("thread_id")
    if kind not in _IN_THREADS or id_fault(object_id) or id_fault(thread_id):
        return None
    if kind == "step" and run_id and not value.get("run_id"):
        return None
    if says_more(value):
        return None
    return SourceObject(kind, str(object_id), str(thread_id), value, "", page)


def whole_page(value: JsonObject) -> list[SourceObject] | None:
    """The complete objects of a list page that holds nothing else; None for any other document.

    The result equals that of the general path, which tests verify.
    """
    elements = value.get("data")
    if value.get("object") != "list" or not isinstance(elements, list) or not elements:
        return None
    if not value.keys() <= _OF_PAGES or any(
        isinstance(value.get(name), _CONTAINERS) for name in _BESIDE_DATA
    ):
        return None
    page = ListPage(0, has_more_of(value))
    listed: list[SourceObject] = []
    for element in elements:
        found = whole_object(element, "", page)
        if found is None or found.kind == "thread":
            return None
        listed.append(found)
    return listed
