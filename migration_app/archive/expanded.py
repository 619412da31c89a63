"""The parts that a document is split into. Imports only ``contracts`` and the lists of a document."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

from migration_app.archive.list_pages import ListPage
from migration_app.contracts import JsonObject, SourceKind


class SourceObject(NamedTuple):
    """An API object with its id. ``thread_id`` is empty for assistants, files and vector stores.

    ``page`` is the list that holds it: the same one, by identity, for all objects of a list. ``is_counted``: a
    message of a bundle or row whose id is made from its content and the number of earlier repetitions.
    """

    kind: SourceKind
    id: str
    thread_id: str
    value: JsonObject
    user_ref: str = ""
    page: ListPage | None = None
    is_counted: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Deletion:
    """The source says that this thread or message was deleted. ``thread_id`` of a message: from its place, if known."""

    kind: Literal["thread", "message"]
    id: str
    thread_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EmptyPage:
    """A list page with ``has_more`` and without usable objects; kind and ids are empty if neither
    its place nor its content shows them.
    """

    kind: SourceKind | None
    thread_id: str
    run_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class OtherList:
    """A list of threads, assistants or files, and its ``has_more``: no single thread is incomplete by it."""

    kind: SourceKind
    continues: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """Skipped on purpose: it belongs to no thread, or is no separate object."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """Rejected because it can't be assigned to a thread, or identified.

    ``by_file``: its document may not be stored whole, because it would be accepted when read alone, or names another
    thread. ``thread_id`` is the thread that it names, or that its surroundings belong to; empty if unknown. ``values``
    are the rejected objects, and ``kind`` their type, if known. ``is_talk``: messages of a
    transcript that differs from the known one; ``ids`` are those of a whole one. ``place``, from 0: that of one
    message of a transcript whose others are accepted. ``beside`` is the thread in whose bundle it is, if it
    names another one: either may lack it.
    """

    reason: str
    by_file: bool = False
    thread_id: str = ""
    kind: SourceKind | None = None
    values: tuple[Any, ...] = ()
    is_talk: bool = False
    ids: tuple[str, ...] = ()
    place: int = -1
    beside: str = ""
    is_note: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class LastPage:
    """An empty list page without ``has_more``: the list before it is complete."""


Expanded = SourceObject | EmptyPage | OtherList | Skipped | Refused | Deletion
