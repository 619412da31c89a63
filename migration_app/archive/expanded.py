"""What a document comes apart into. Imports only ``contracts`` and the lists of a document."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from migration_app.archive.list_pages import ListPage
from migration_app.contracts import JsonObject, SourceKind


@dataclasses.dataclass(frozen=True, slots=True)
class SourceObject:
    """An API object with its id. ``thread_id`` is empty for assistants, files and vector stores.

    ``page`` is the list that it stands in: the same one, by identity, for all objects of a list. ``is_counted``: a
    message of a bundle or row whose id comes from what it says and how often that was said before.
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
    """The source says that this thread or message was deleted. ``thread_id`` of a message: where it stood, if told."""

    kind: Literal["thread", "message"]
    id: str
    thread_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EmptyPage:
    """A list page that says it goes on, and holds nothing that could be taken; kind and ids are empty where neither
    its place nor what it holds tells them.
    """

    kind: SourceKind | None
    thread_id: str
    run_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class OtherList:
    """A list of threads, assistants or files, and whether it says that it goes on: no thread of its own lacks them."""

    kind: SourceKind
    goes_on: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """Left out on purpose: it belongs to no thread, or is no object of its own."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """Left out because it can't be placed or identified.

    ``by_file``: its document may not be stored whole, because read alone it would be taken, or names another thread.
    ``thread_id`` is the thread that it names, or that its surroundings are about; empty if nothing tells. ``values``
    are the objects that are left out, and ``kind`` is what they are, as far as is known. ``is_talk``: messages of a
    transcript that is another than the known one; ``ids`` are those of a whole one. ``place``, from 0: that of one
    message of a transcript of which the others are taken. ``beside`` is the thread in whose bundle it stands, where it
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
    """An empty list page that says it is the last one: the list that stands before it is at its end."""


Expanded = SourceObject | EmptyPage | OtherList | Skipped | Refused | Deletion
