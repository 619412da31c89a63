"""From a JSON document to the API objects in it: list pages, bundles, events and single objects.

Objects are completed from their place (a bundle's messages belong to its thread);
nothing else is changed: real objects differ from the SDK's models in dozens of ways. Rejects and skipped objects have a
reason. Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from migration_app.archive.expanded import (
    Deletion,
    EmptyPage,
    Expanded,
    OtherList,
    Refused,
    SourceObject,
)
from migration_app.archive.identified import (
    DELETED,
    KINDS,
    OBJECT_NAMES,
    OF_THREADS,
    Surroundings,
    identified_or_deleted,
    only_thread,
)
from migration_app.archive.ids import MessageIds, id_fault
from migration_app.archive.json_text import json_read
from migration_app.archive.list_pages import (
    ListPage,
    continued_part,
    elements_in,
    has_more_of,
    is_page,
    lists_in,
)
from migration_app.archive.siblings import (
    LISTS,
    holds_objects,
    is_of_thread,
    is_said,
    opened,
    others,
    says_something,
    text_read,
    unknown_fields,
)
from migration_app.archive.transcripts import (
    USER_REFERENCES,
    TranscriptLines,
    is_transcript,
    message_shaped,
    own_id,
    transcript_thread,
)
from migration_app.archive.whole import MORE, whole_object, whole_page
from migration_app.contracts import JsonObject, SourceKind

_PARTS: Final[dict[str, SourceKind]] = {
    "thread": "thread",
    "threads": "thread",
    "messages": "message",
    "runs": "run",
    "run_steps": "step",
    "steps": "step",
    "message": "message",
    "run": "run",
    "run_step": "step",
    "step": "step",
    "assistant": "assistant",
    "assistants": "assistant",
    "file": "file",
    "files": "file",
    "vector_stores": "vector_store",
}
_MAX_NESTING = 8
_BUNDLES = MORE - {"event", "deleted"} | {"thread", "threads"}
_OF_TRANSCRIPTS = frozenset({"thread_id", "messages", "metadata", *USER_REFERENCES})


def is_last_page(value: JsonObject) -> bool:
    """Whether a document is an empty list page behind the last one, as some servers return it."""
    return value.get("data") == [] and has_more_of(value) is False


def expand(
    value: JsonObject, *, thread_id: str = "", lines: TranscriptLines | None = None, line_number: int = 0
) -> Iterable[Expanded]:
    """Every API object in a document, in its order.

    ``thread_id`` is given to messages, runs and steps that name no thread (pages that are known to be of one
    thread). ``lines`` is passed while a file is read: it distinguishes grown transcripts from pieces.
    """
    if (found := whole_object(value)) is not None:
        return (found,)
    if (listed := whole_page(value)) is not None:
        return listed
    ids = MessageIds() if thread_id else None
    return _expand_slowly(
        value, Surroundings(thread_id=thread_id, ids=ids, lines=lines, line_number=line_number)
    )


def _expand(value: Any, place: Surroundings) -> Iterable[Expanded]:
    found = whole_object(value, place.run_id, place.page) if place.depth <= _MAX_NESTING else None
    if found is None or place.bundle not in {"", found.thread_id}:
        return _expand_slowly(value, place)
    return (found,)


def _expand_slowly(value: Any, place: Surroundings) -> Iterator[Expanded]:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json_read(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        yield place.refused("A list of objects contains something that is not an object.", value)
        return
    value = opened(value)
    if place.depth > _MAX_NESTING:
        yield place.refused("Lists and bundles are nested too deeply.", value)
    elif is_transcript(value):
        yield from _transcript(value, place)
    elif isinstance(value.get("event"), str) and isinstance(value.get("data"), dict):
        inside = value["data"]
        if value["event"].endswith(DELETED) and "object" not in inside:
            inside = {**inside, "object": value["event"]}
        yield from _expand(inside, dataclasses.replace(place, depth=place.depth + 1))
        yield from _beside(value, place, ("event", "data"), (inside,))
    elif isinstance(value.get("data"), list) and value.get("object") not in OBJECT_NAMES.values():
        yield from _elements(value, dataclasses.replace(place, depth=place.depth + 1), None)
    elif _is_bundle(value, place):
        yield from _bundle(value, place)
    else:
        yield from identified_or_deleted(value, place)


def _elements(
    part: JsonObject | list[Any], place: Surroundings, continues: bool | None
) -> Iterator[Expanded]:
    """The elements of a list, or of a page that holds it; ``continues`` is the has_more beside a bare list."""
    inside = place.inside(part, continues)
    elements = part["data"] if isinstance(part, dict) else part
    if inside.page is None or inside.page.continues is None:
        for element in elements:
            yield from _expand(element, inside)
    else:
        yield from _page(elements, inside, inside.page)
    if isinstance(part, dict):
        yield from _beside(part, place, ("data",), elements)


def _page(elements: list[Any], inside: Surroundings, page: ListPage) -> Iterator[Expanded]:
    """The elements of a list with has_more, and the threads that this applies to, also
    if none of their objects could be read.
    """
    held: set[tuple[str, SourceKind | None]] = set()
    left_out: dict[tuple[str, SourceKind | None], None] = {}
    other: SourceKind | None = None
    for element in elements:
        is_bare = not isinstance(element, dict) or _BUNDLES.isdisjoint(element)
        for found in _expand(element, inside):
            yield found
            if isinstance(found, SourceObject) and found.page is page and found.kind in OF_THREADS:
                held.add((found.thread_id, found.kind))
            elif not is_bare:
                other = other or "thread"
            elif isinstance(found, Refused | Deletion) and (found.kind is None or found.kind in OF_THREADS):
                left_out[found.thread_id, found.kind] = None
            elif isinstance(found, SourceObject | Refused | Deletion):
                other = other or found.kind
    if other is not None and not held:
        yield OtherList(other, bool(page.continues))
    elif page.continues and not elements:
        yield EmptyPage(inside.kind, inside.thread_id, inside.run_id)
    elif page.continues:
        for thread_id, kind in left_out:
            if (thread_id, kind) not in held:
                yield EmptyPage(kind or inside.kind, thread_id, inside.run_id)


def _beside(
    value: JsonObject, place: Surroundings, taken: Iterable[str], objects: Iterable[Any]
) -> Iterator[Expanded]:
    """Fields beside the objects of a page, an event or a transcript; ``objects`` may name its thread."""
    rest = others(value, taken)
    if rest:
        named = _thread_of_bundle({**rest, "thread_id": value.get("thread_id")}) or place.thread_id
        thread_id = named or only_thread(objects)
        bundle = place.bundle or ("" if id_fault(value.get("thread_id")) else thread_id)
        inner = dataclasses.replace(
            place, kind=None, thread_id=thread_id, bundle=bundle, ids=None, depth=place.depth + 1, page=None
        )
        yield from _parts(rest, inner, None, None)


def _transcript(value: JsonObject, place: Surroundings) -> Iterator[Expanded]:
    thread, messages, user_ref = transcript_thread(value)
    if isinstance(thread, str):
        yield Refused(thread)
        return
    said = value["messages"]
    # Messages with ids are identified by these, also across lines.
    counted = any(not isinstance(message, dict) or own_id(message) is None for message in said)
    if counted and (fault := place.told_before(thread["id"], said)):
        shaped = tuple(message_shaped(message) for message in said)
        ids = tuple("" if isinstance(message, str) else str(message["id"]) for message in messages)
        yield Refused(fault, True, thread["id"], "message", shaped, is_talk=True, ids=ids)
        return
    yield SourceObject("thread", thread["id"], thread["id"], thread, user_ref)
    inside = Surroundings("message", thread["id"]).inside(messages, has_more_of(value))
    for number, message in enumerate(messages):
        if isinstance(message, str):
            reason = f"Transcript of {thread['id']}: {message}"
            yield Refused(reason, thread_id=thread["id"], kind="message", place=number)
        else:
            yield from identified_or_deleted(message, inside)
    yield from _beside(value, Surroundings(thread_id=thread["id"]), _OF_TRANSCRIPTS, ())


def _is_bundle(value: JsonObject, place: Surroundings) -> bool:
    name = value.get("object")
    if name in ("thread", "thread.run") or place.kind in (
        "thread",
        "run",
    ):  # a tuple: an archive may hold a list here
        return any(
            isinstance(value.get(part), list | dict) or (part in LISTS and says_something(value.get(part)))
            for part, kind in _PARTS.items()
            if kind in OF_THREADS
        ) or any(map(holds_objects, others(value, _PARTS).values()))
    return (
        name is None
        and place.kind is None
        and any(isinstance(value.get(part), list | dict) for part in _PARTS)
    )


def _bundle(value: JsonObject, place: Surroundings) -> Iterator[Expanded]:
    """An object with others beside or inside it, such as ``{"thread": …, "messages": […]}``."""
    name = value.get("object")
    kind = KINDS.get(name) if isinstance(name, str) else place.kind
    thread_id, run_id = place.thread_id, place.run_id
    if kind in {"thread", "run"}:
        bare = {key: part for key, part in value.items() if key not in _PARTS or key in {"file", "files"}}
        for found in identified_or_deleted(bare, dataclasses.replace(place, kind=kind)):
            yield found
            if isinstance(found, SourceObject):
                thread_id, run_id = found.thread_id, found.id if kind == "run" else run_id
            elif isinstance(found, Refused | Deletion):
                thread_id = found.thread_id or thread_id
    else:
        thread_id = _thread_of_bundle(value) or thread_id
    ids = MessageIds() if thread_id else None
    inner = dataclasses.replace(
        place,
        thread_id=thread_id,
        bundle=thread_id,
        run_id=run_id,
        ids=ids,
        depth=place.depth + 1,
        page=None,
        beside=(),
    )
    yield from _parts(value, inner, kind, has_more_of(value))


def _parts(
    value: JsonObject, inner: Surroundings, kind: SourceKind | None, continues: bool | None
) -> Iterator[Expanded]:
    """The parts of a bundle, and its other fields.

    ``kind`` is the type of the bundle itself; ``continues`` is the has_more beside its parts.
    """
    thread_id = inner.thread_id
    parts = {key: of for key, of in _PARTS.items() if of in OF_THREADS or kind not in {"thread", "run"}}
    asking = "" if continues is None else continued_part(value, parts)
    for key, part_kind in parts.items():
        of_part = dataclasses.replace(inner, kind=part_kind)
        if key in LISTS and not isinstance(value.get(key), list | dict) and says_something(value.get(key)):
            reason = f'"{key}" is a {type(value[key]).__name__}, not a list of objects.'
            yield of_part.refused(reason, value[key])
            continue
        if key == "messages" and thread_id:
            elements = elements_in(value.get(key))
            named, unnamed = _by_name(elements)
            fault = inner.told_before(thread_id, elements) if unnamed else ""
            if fault:
                yield Refused(fault, True, thread_id, "message", tuple(unnamed), is_talk=True)
                yield from _elements(named, of_part, continues if key == asking else None)
                continue
        for part in lists_in(value.get(key)):
            if not isinstance(part, dict) or is_page(part):
                yield from _elements(part, of_part, continues if key == asking else None)
            else:
                yield from _expand(part, of_part)
    yield from _unnamed(value, inner, kind)


def _unnamed(value: JsonObject, inner: Surroundings, kind: SourceKind | None) -> Iterator[Expanded]:
    """Unknown fields of a bundle: objects are read or rejected, others are reported by name."""
    unknown: list[str] = []
    for key, said in others(
        value, [name for name in _PARTS if isinstance(value.get(name), list | dict)]
    ).items():
        if key in LISTS:
            continue
        part = text_read(said) if isinstance(said, str) else said
        elements = elements_in(part)
        if not any(map(is_of_thread, elements)):
            if holds_objects(part):
                reason = f'Under "{key[:80]}", an unknown field, are objects that belong to no known thread.'
                yield inner.refused(reason, part)
            else:
                unknown.append(key)
            continue
        for each in lists_in(part):
            page = inner.inside(each, None) if isinstance(each, list) or is_page(each) else inner
            for element in elements_in(each):
                if not is_said(element):
                    yield from _expand(element, page)
                elif id_fault(element.get("id")):
                    reason = f'Under "{key[:80]}", an unknown field, is a message without an id.'
                    yield page.refused(reason, element, "message")
                else:
                    yield from _expand(element, dataclasses.replace(page, kind="message"))
    # For a thread the conversion reports them.
    if unknown and kind is None and not id_fault(inner.thread_id):
        yield Refused(unknown_fields(unknown), thread_id=inner.thread_id, is_note=True)


def _thread_of_bundle(value: JsonObject) -> str:
    """The one thread of a bundle, empty if it names none."""
    thread = value.get("thread")
    if isinstance(thread, str):
        return thread
    for said in (thread.get("id") if isinstance(thread, dict) else None, value.get("thread_id")):
        if isinstance(said, str) and said:
            return said
    return only_thread([element for key in ("messages", "runs") for element in elements_in(value.get(key))])


def _by_name(elements: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Elements with an id, and those without."""
    split: tuple[list[Any], list[Any]] = [], []
    for element in elements:
        split[not (isinstance(element, dict) and element.get("id"))].append(element)
    return split
