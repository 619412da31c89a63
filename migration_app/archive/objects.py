"""From a JSON document to the API objects in it: list pages, bundles, events and single objects.

What comes out is filled in where its place says what is missing (a bundle's messages belong to its thread);
nothing else is changed: real objects differ from the SDK's models in dozens of ways. What is left out says
why. Standard library only.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from migration_app.archive.expanded import (
    Deletion,
    EmptyPage,
    Expanded,
    OtherList,
    Refused,
    Skipped,
    SourceObject,
)
from migration_app.archive.ids import MessageIds, id_fault
from migration_app.archive.json_text import json_read
from migration_app.archive.list_pages import (
    ListPage,
    elements_in,
    goes_on_said,
    is_page,
    lists_in,
    part_that_goes_on,
    said_yes,
)
from migration_app.archive.siblings import (
    LISTS,
    holds_objects,
    is_of_thread,
    is_said,
    opened,
    others,
    says_more,
    says_something,
    text_read,
    unknown_fields,
)
from migration_app.archive.transcripts import (
    USER_REFERENCES,
    TranscriptLines,
    derived_id,
    is_transcript,
    message_shaped,
    own_id,
    transcript_thread,
)
from migration_app.contracts import JsonObject, SourceKind

KINDS: Final[dict[str, SourceKind]] = {
    "assistant": "assistant",
    "thread": "thread",
    "thread.message": "message",
    "thread.run": "run",
    "thread.run.step": "step",
    "file": "file",
    "vector_store": "vector_store",
}
OBJECT_NAMES: Final[dict[SourceKind, str]] = {kind: name for name, kind in KINDS.items()}

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
_OF_THREADS = frozenset({"message", "run", "step"})
_IN_THREADS = _OF_THREADS | {"thread"}
_BESIDE = {
    "assistant.file": "an attachment of a file to an assistant (the assistant names it itself)",
    "thread.message.file": "an attachment of a file to a message (the message names it itself)",
    "vector_store.file": "a file's place in a vector store",
    "vector_store.file_batch": "a batch of files put into a vector store",
    "vector_store.files_batch": "a batch of files put into a vector store",
    "vector_store.file_content.page": "the content of a file in a vector store",
}
_DELETED = ".deleted"
# Threads and messages that hold more than this and say that they were deleted are kept by their dump, marked.
_BARE = frozenset({"id", "object", "thread_id", "deleted"})
_MARKED = frozenset({"thread", "thread.message"})
_MAX_NESTING = 8
# An object with one of these may be an event, a list, a bundle or the answer to a deletion.
_MORE = LISTS | {"event", "data", "deleted", "message", "run", "run_step", "step"}
_BUNDLES = _MORE - {"event", "deleted"} | {"thread", "threads"}
_OF_TRANSCRIPTS = frozenset({"thread_id", "messages", "metadata", *USER_REFERENCES})


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """What an object's surroundings say of it."""

    kind: SourceKind | None = None
    thread_id: str = ""
    bundle: str = ""  # the thread that the bundle around it is about
    run_id: str = ""
    ids: MessageIds | None = None
    depth: int = 0
    lines: TranscriptLines | None = None
    line_number: int = 0
    page: ListPage | None = None
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)
    beside: Sequence[Any] = ()  # the elements of the list that it stands in

    def thread_of(self, value: Any) -> str:
        """The thread that something refused here is of, empty if neither it nor its place tells."""
        own = value.get("thread_id") if isinstance(value, dict) else None
        said = (own, self.thread_id)
        return next((str(name) for name in said if not id_fault(name)), "") or _only_thread(self.beside)

    def refused(
        self, reason: str, value: Any, kind: SourceKind | None = None, *, by_file: bool = False
    ) -> Refused:
        """The refusal of what stands here."""
        return Refused(reason, by_file, self.thread_of(value), kind or self.kind, (value,))

    def inside(self, part: Any, goes_on: bool | None) -> _Place:
        """The place of what stands in a list; ``part`` may be the list itself or a page that holds it."""
        said = goes_on_said(part) if isinstance(part, dict) else goes_on
        elements = part["data"] if isinstance(part, dict) else part
        return dataclasses.replace(self, page=ListPage(next(self.numbers), said), beside=elements)

    def told_before(self, thread_id: str, messages: list[Any]) -> str:
        """Why messages without ids can't be taken beside what the file has said of their thread, if so."""
        return "" if self.lines is None else self.lines.fault(thread_id, messages, self.line_number)


def is_last_page(value: JsonObject) -> bool:
    """Whether a document is an empty list page behind the last one, as servers give it that count before they look."""
    return value.get("data") == [] and goes_on_said(value) is False


def expand(
    value: JsonObject, *, thread_id: str = "", lines: TranscriptLines | None = None, line_number: int = 0
) -> Iterable[Expanded]:
    """Every API object in a document, in its order.

    ``thread_id`` is given to messages, runs and steps that name no thread (pages that are known to be of one
    thread). ``lines`` is handed in while a file is read: it tells grown transcripts from pieces.
    """
    if (found := _whole(value, "", None)) is not None:
        return (found,)
    ids = MessageIds() if thread_id else None
    return _expand_slowly(value, _Place(thread_id=thread_id, ids=ids, lines=lines, line_number=line_number))


def _expand(value: Any, place: _Place) -> Iterable[Expanded]:
    found = _whole(value, place.run_id, place.page) if place.depth <= _MAX_NESTING else None
    if found is None or place.bundle not in {"", found.thread_id}:
        return _expand_slowly(value, place)
    return (found,)


def _whole(value: Any, run_id: str, page: ListPage | None) -> SourceObject | None:
    """An object of a thread that is complete, so that its place adds nothing to it; None for all else.

    Nearly all documents and list elements are such objects. They come out as they would the long way round, which
    tests hold this to.
    """
    if not isinstance(value, dict) or not _MORE.isdisjoint(value):
        return None
    name, object_id = value.get("object"), value.get("id")
    kind = KINDS.get(name) if isinstance(name, str) else None
    thread_id = object_id if kind == "thread" else value.get("thread_id")
    if kind is None or kind not in _IN_THREADS or id_fault(object_id) or id_fault(thread_id):
        return None
    if kind == "step" and run_id and not value.get("run_id"):
        return None
    if says_more(value):
        return None
    return SourceObject(kind, str(object_id), str(thread_id), value, page=page)


def _expand_slowly(value: Any, place: _Place) -> Iterator[Expanded]:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json_read(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        yield place.refused("Among the objects stands something that is no object.", value)
        return
    value = opened(value)
    if place.depth > _MAX_NESTING:
        yield place.refused("Lists and bundles are nested too deeply.", value)
    elif is_transcript(value):
        yield from _transcript(value, place)
    elif isinstance(value.get("event"), str) and isinstance(value.get("data"), dict):
        inside = value["data"]
        if value["event"].endswith(_DELETED) and "object" not in inside:
            inside = {**inside, "object": value["event"]}
        yield from _expand(inside, dataclasses.replace(place, depth=place.depth + 1))
        yield from _beside(value, place, ("event", "data"), (inside,))
    elif isinstance(value.get("data"), list) and value.get("object") not in OBJECT_NAMES.values():
        yield from _elements(value, dataclasses.replace(place, depth=place.depth + 1), None)
    elif _is_bundle(value, place):
        yield from _bundle(value, place)
    else:
        yield from _identified_or_deleted(value, place)


def _elements(part: JsonObject | list[Any], place: _Place, goes_on: bool | None) -> Iterator[Expanded]:
    """What stands in a list, or in a page that holds it; ``goes_on`` is what is said beside a bare list."""
    inside = place.inside(part, goes_on)
    elements = part["data"] if isinstance(part, dict) else part
    if inside.page is None or inside.page.goes_on is None:
        for element in elements:
            yield from _expand(element, inside)
    else:
        yield from _page(elements, inside, inside.page)
    if isinstance(part, dict):
        yield from _beside(part, place, ("data",), elements)


def _page(elements: list[Any], inside: _Place, page: ListPage) -> Iterator[Expanded]:
    """What stands in a list that says whether it goes on, and of what it says so: of each thread that it holds, also
    where nothing of that could be taken.
    """
    held: set[tuple[str, SourceKind | None]] = set()
    left_out: dict[tuple[str, SourceKind | None], None] = {}
    other: SourceKind | None = None
    for element in elements:
        is_bare = not isinstance(element, dict) or _BUNDLES.isdisjoint(element)
        for found in _expand(element, inside):
            yield found
            if isinstance(found, SourceObject) and found.page is page and found.kind in _OF_THREADS:
                held.add((found.thread_id, found.kind))
            elif not is_bare:
                other = other or "thread"
            elif isinstance(found, Refused | Deletion) and (found.kind is None or found.kind in _OF_THREADS):
                left_out[found.thread_id, found.kind] = None
            elif isinstance(found, SourceObject | Refused | Deletion):
                other = other or found.kind
    if other is not None and not held:
        yield OtherList(other, bool(page.goes_on))
    elif page.goes_on and not elements:
        yield EmptyPage(inside.kind, inside.thread_id, inside.run_id)
    elif page.goes_on:
        for thread_id, kind in left_out:
            if (thread_id, kind) not in held:
                yield EmptyPage(kind or inside.kind, thread_id, inside.run_id)


def _beside(
    value: JsonObject, place: _Place, taken: Iterable[str], objects: Iterable[Any]
) -> Iterator[Expanded]:
    """What stands beside the objects of a page, an event or a transcript; ``objects`` may tell its thread."""
    rest = others(value, taken)
    if rest:
        named = _thread_of_bundle({**rest, "thread_id": value.get("thread_id")}) or place.thread_id
        thread_id = named or _only_thread(objects)
        bundle = place.bundle or ("" if id_fault(value.get("thread_id")) else thread_id)
        inner = dataclasses.replace(
            place, kind=None, thread_id=thread_id, bundle=bundle, ids=None, depth=place.depth + 1, page=None
        )
        yield from _parts(rest, inner, None, None)


def _transcript(value: JsonObject, place: _Place) -> Iterator[Expanded]:
    thread, messages, user_ref = transcript_thread(value)
    if isinstance(thread, str):
        yield Refused(thread)
        return
    said = value["messages"]
    # Messages with ids of their own are told apart by these: what another line said of them is known by then.
    counted = any(not isinstance(message, dict) or own_id(message) is None for message in said)
    if counted and (fault := place.told_before(thread["id"], said)):
        shaped = tuple(message_shaped(message) for message in said)
        ids = tuple("" if isinstance(message, str) else str(message["id"]) for message in messages)
        yield Refused(fault, True, thread["id"], "message", shaped, is_talk=True, ids=ids)
        return
    yield SourceObject("thread", thread["id"], thread["id"], thread, user_ref)
    inside = _Place("message", thread["id"]).inside(messages, goes_on_said(value))
    for number, message in enumerate(messages):
        if isinstance(message, str):
            reason = f"Transcript of {thread['id']}: {message}"
            yield Refused(reason, thread_id=thread["id"], kind="message", place=number)
        else:
            yield from _identified_or_deleted(message, inside)
    yield from _beside(value, _Place(thread_id=thread["id"]), _OF_TRANSCRIPTS, ())


def _is_bundle(value: JsonObject, place: _Place) -> bool:
    name = value.get("object")
    if name in ("thread", "thread.run") or place.kind in (
        "thread",
        "run",
    ):  # a tuple: an archive may hold a list here
        return any(
            isinstance(value.get(part), list | dict) or (part in LISTS and says_something(value.get(part)))
            for part, kind in _PARTS.items()
            if kind in _OF_THREADS
        ) or any(map(holds_objects, others(value, _PARTS).values()))
    return (
        name is None
        and place.kind is None
        and any(isinstance(value.get(part), list | dict) for part in _PARTS)
    )


def _bundle(value: JsonObject, place: _Place) -> Iterator[Expanded]:
    """An object with others beside or inside it: ``{"thread": …, "messages": […]}`` and its like."""
    name = value.get("object")
    kind = KINDS.get(name) if isinstance(name, str) else place.kind
    thread_id, run_id = place.thread_id, place.run_id
    if kind in {"thread", "run"}:
        bare = {key: part for key, part in value.items() if key not in _PARTS or key in {"file", "files"}}
        for found in _identified_or_deleted(bare, dataclasses.replace(place, kind=kind)):
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
    yield from _parts(value, inner, kind, goes_on_said(value))


def _parts(
    value: JsonObject, inner: _Place, kind: SourceKind | None, goes_on: bool | None
) -> Iterator[Expanded]:
    """The parts of a bundle, and what stands beside them.

    ``kind`` is what the bundle itself is; ``goes_on`` is what stands beside its parts.
    """
    thread_id = inner.thread_id
    parts = {key: of for key, of in _PARTS.items() if of in _OF_THREADS or kind not in {"thread", "run"}}
    asking = "" if goes_on is None else part_that_goes_on(value, parts)
    for key, part_kind in parts.items():
        of_part = dataclasses.replace(inner, kind=part_kind)
        if key in LISTS and not isinstance(value.get(key), list | dict) and says_something(value.get(key)):
            reason = f'Under "{key}" stands a {type(value[key]).__name__} that is no list of objects.'
            yield of_part.refused(reason, value[key])
            continue
        if key == "messages" and thread_id:
            elements = elements_in(value.get(key))
            named, unnamed = _by_name(elements)
            fault = inner.told_before(thread_id, elements) if unnamed else ""
            if fault:
                yield Refused(fault, True, thread_id, "message", tuple(unnamed), is_talk=True)
                yield from _elements(named, of_part, goes_on if key == asking else None)
                continue
        for part in lists_in(value.get(key)):
            if not isinstance(part, dict) or is_page(part):
                yield from _elements(part, of_part, goes_on if key == asking else None)
            else:
                yield from _expand(part, of_part)
    yield from _unnamed(value, inner, kind)


def _unnamed(value: JsonObject, inner: _Place, kind: SourceKind | None) -> Iterator[Expanded]:
    """What stands in a bundle under names that nobody knows: objects are read or refused, the rest is named."""
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
                reason = f'Under "{key[:80]}", which the console does not know, stand objects that it can\'t place.'
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
                    reason = f'Under "{key[:80]}", which the console does not know, stands a message without an id.'
                    yield page.refused(reason, element, "message")
                else:
                    yield from _expand(element, dataclasses.replace(page, kind="message"))
    # Of a thread the conversion names them.
    if unknown and kind is None and not id_fault(inner.thread_id):
        yield Refused(unknown_fields(unknown), thread_id=inner.thread_id, is_note=True)


def _thread_of_bundle(value: JsonObject) -> str:
    """The one thread that a bundle is about, empty if it says none."""
    thread = value.get("thread")
    if isinstance(thread, str):
        return thread
    for said in (thread.get("id") if isinstance(thread, dict) else None, value.get("thread_id")):
        if isinstance(said, str) and said:
            return said
    return _only_thread([element for key in ("messages", "runs") for element in elements_in(value.get(key))])


def _only_thread(elements: Iterable[Any]) -> str:
    """The one thread that all of these objects name that name one, empty if there is no such."""
    named = [
        element["thread_id"] for element in elements if isinstance(element, dict) and element.get("thread_id")
    ]
    only = named[0] if named and all(other == named[0] for other in named) else None
    return "" if id_fault(only) else str(only)


def _by_name(elements: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Elements with an id, and those without."""
    parted: tuple[list[Any], list[Any]] = [], []
    for element in elements:
        parted[not (isinstance(element, dict) and element.get("id"))].append(element)
    return parted


def _identified_or_deleted(value: JsonObject, place: _Place) -> Iterator[Expanded]:
    """One object, the word that one was deleted, or both: some dumps mark what was deleted and keep it."""
    found = _identified(value, place)
    yield found
    if isinstance(found, SourceObject) and said_yes(value.get("deleted")):
        if found.kind == "message":
            yield Deletion("message", found.id, found.thread_id)
        elif found.kind == "thread":
            yield Deletion("thread", found.id, found.id)


def _identified(value: JsonObject, place: _Place) -> Expanded:
    """One object with its kind, id and thread; or why it can't be taken."""
    name = value.get("object")
    if not isinstance(name, str) or not name:
        if place.kind is None:
            return place.refused('It has no "object" that says what it is.', value)
        name = OBJECT_NAMES[place.kind]
    if (deleted := _deleted(name, value)) is not None:
        return _deletion(deleted, value, place)
    if left_out := _left_out(name, value):
        return Skipped(left_out)
    kind = KINDS.get(name)
    if kind is None:
        return place.refused(f"Unknown kind of object: {name[:80]!r}.", value)
    filled = _filled(kind, {**value, "object": name}, place)
    if fault := id_fault(filled.get("id")):
        return place.refused(f"The id of a {name} {fault}.", value, kind)
    thread_id = ""
    if kind in _OF_THREADS:
        thread_id = filled["thread_id"]
        if fault := id_fault(thread_id):
            reason = f"The {name} {filled['id']} can't be placed: its thread_id {fault}."
            return place.refused(reason, value, kind)
        if place.bundle not in {"", thread_id}:
            reason = (
                f"The {name} {filled['id']} stands with thread {place.bundle} and names thread {thread_id}: mend "
                "its thread_id, or import it by itself."
            )
            return dataclasses.replace(place.refused(reason, value, kind, by_file=True), beside=place.bundle)
    elif kind == "thread":
        thread_id = filled["id"]
    is_counted = kind == "message" and place.ids is not None and not value.get("id")
    return SourceObject(kind, filled["id"], thread_id, filled, page=place.page, is_counted=is_counted)


def _deleted(name: str, value: JsonObject) -> Literal["thread", "message"] | None:
    """Whether an object only says that a thread or a message was deleted, and which of the two."""
    kind = KINDS.get(name.removesuffix(_DELETED))
    says_so = name.endswith(_DELETED) or (said_yes(value.get("deleted")) and value.keys() <= _BARE)
    if not says_so or said_yes(value.get("deleted")) is False:
        return None
    return "thread" if kind == "thread" else "message" if kind == "message" else None


def _deletion(kind: Literal["thread", "message"], value: JsonObject, place: _Place) -> Deletion | Refused:
    if fault := id_fault(value.get("id")):
        return place.refused(f"The id of a deleted {kind} {fault}.", value, kind)
    if kind == "thread":
        return Deletion(kind, value["id"], value["id"])
    own = value.get("thread_id")
    return Deletion(kind, value["id"], place.thread_id if id_fault(own) else str(own))


def _left_out(name: str, value: JsonObject) -> str:
    """Why an object is passed over on purpose, empty if it isn't."""
    # DELETE of a file answers as "file" with nothing but id and deleted.
    is_marked = said_yes(value.get("deleted")) and "created_at" not in value
    if name.endswith(_DELETED) or (is_marked and name not in _MARKED):
        return f"The answer to a deletion ({name})."
    if name.endswith(".delta"):
        return f"A piece of a stream ({name}): the whole object is needed."
    return f"{name}: {_BESIDE[name]}, no part of a thread." if name in _BESIDE else ""


def _filled(kind: SourceKind, filled: JsonObject, place: _Place) -> JsonObject:
    """What the object's place says of it, where it says nothing itself."""
    if kind == "message" and not filled.get("id") and place.ids is not None:
        filled["id"] = derived_id(place.thread_id, filled, place.ids)
    if kind == "thread" and not filled.get("id"):
        filled["id"] = place.thread_id
    if kind in _OF_THREADS and not filled.get("thread_id"):
        filled["thread_id"] = place.thread_id
    if kind == "step" and place.run_id and not filled.get("run_id"):
        filled["run_id"] = place.run_id
    return filled
