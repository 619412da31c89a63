"""The target side: conversations and their items. A refused request changes nothing.

There is no list of conversations and no idempotency key (the real API has neither).
"""

import functools
import time
from collections.abc import Iterable, Mapping, Sequence

from console.sandbox import errors
from console.sandbox.errors import ApiError, not_found
from console.sandbox.faults import Kind
from console.sandbox.items import check_items, id_prefix
from console.sandbox.rules import ANYTHING, Field, check_fields, check_metadata, page_query
from console.sandbox.store import Conversation, Stored, Target
from console.sandbox.wire import (
    NO_MANNERS,
    Answer,
    Call,
    Json,
    answer_of,
    encode,
    list_answer,
    new_id,
    read_object,
)
from console.sandbox.world import World


def conversation_create(world: World, call: Call) -> Answer:
    """POST /conversations."""
    body = read_object(call, optional=True)
    check_fields(body, {"metadata": ANYTHING, "items": ANYTHING}, "")
    metadata = check_metadata(body.get("metadata"))
    items = check_items(body.get("items") or [])
    conversation = Conversation(new_id("conv"), int(time.time()), metadata)
    entries = resolve_items(world.target, conversation, items, call.manners)
    world.target.conversations[conversation.id] = conversation
    world.views[conversation.id].created(call.manners, time.monotonic())
    append_entries(world, conversation, entries, call.manners)
    return answer_of(conversation.as_json())


def conversation_get(world: World, call: Call) -> Answer:
    """GET /conversations/{conversation_id}."""
    return answer_of(find_conversation(world, call.params["conversation_id"], reading=True).as_json())


def conversation_update(world: World, call: Call) -> Answer:
    """POST /conversations/{conversation_id}: replaces the metadata."""
    conversation = find_conversation(world, call.params["conversation_id"])
    body = read_object(call)
    check_fields(body, {"metadata": Field(ANYTHING.kinds, required=True, nullable=True)}, "")
    conversation.metadata = check_metadata(body["metadata"])
    return answer_of(conversation.as_json())


def conversation_delete(world: World, call: Call) -> Answer:
    """DELETE /conversations/{conversation_id}: its items are not deleted (spec), so their ids stay taken."""
    conversation = find_conversation(world, call.params["conversation_id"])
    conversation.deleted = True
    world.views[conversation.id].deleted(call.manners, time.monotonic())
    return answer_of({"id": conversation.id, "object": "conversation.deleted", "deleted": True})


def item_create(world: World, call: Call) -> Answer:
    """POST /conversations/{conversation_id}/items: all of them or none (recorded)."""
    conversation = find_conversation(world, call.params["conversation_id"])
    body = read_object(call)
    check_fields(body, {"items": Field(ANYTHING.kinds, required=True, nullable=True)}, "")
    items = check_items(body["items"])
    if not items:
        raise ApiError(
            "Invalid 'items': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="items",
            code="empty_array",
        )
    entries = resolve_items(world.target, conversation, items, call.manners)
    append_entries(world, conversation, entries, call.manners)
    return _page(entries, has_more=False)


def item_list(world: World, call: Call) -> Answer:
    """GET /conversations/{conversation_id}/items: newest first unless asked otherwise."""
    conversation = find_conversation(world, call.params["conversation_id"], reading=True)
    listed = world.views[conversation.id].listed(conversation.items, time.monotonic())
    entries, has_more = listed.page(page_query(call.query))
    return _page(entries, has_more=has_more)


def item_get(world: World, call: Call) -> Answer:
    """GET /conversations/{conversation_id}/items/{item_id}."""
    conversation = find_conversation(world, call.params["conversation_id"], reading=True)
    entry = conversation.items.get(call.params["item_id"])
    if entry is None:
        raise _no_item(call.params["item_id"])
    return Answer(entry.raw)


def item_delete(world: World, call: Call) -> Answer:
    """DELETE /conversations/{conversation_id}/items/{item_id}: answers with the conversation (spec)."""
    conversation = find_conversation(world, call.params["conversation_id"])
    place = conversation.items.place(call.params["item_id"])
    entry = world.target.unlink(conversation, call.params["item_id"])
    if entry is None or place is None:
        raise _no_item(call.params["item_id"])
    world.views[conversation.id].removed(place, entry, call.manners, time.monotonic())
    return answer_of(conversation.as_json())


def find_conversation(world: World, conversation_id: str, *, reading: bool = False) -> Conversation:
    """Return a conversation that is there and not deleted, as far as this request can know; else 404."""
    conversation = world.target.conversations.get(conversation_id)
    if conversation is not None:
        view, now = world.views[conversation_id], time.monotonic()
        still_there = not conversation.deleted or (reading and now < view.deleted_at)
        if still_there and view.is_known(now, reading=reading):
            return conversation
    raise not_found(f"Conversation with id '{conversation_id}' not found.")


def append_entries(
    world: World, conversation: Conversation, entries: Sequence[Stored], manners: Mapping[str, float]
) -> None:
    """Append what `resolve_items` made; how reads come to see it, and what is lost again, the manners say."""
    new = [entry for entry in entries if entry.id not in conversation.items]
    world.target.link(conversation, new)
    world.views[conversation.id].appended([entry.id for entry in new], manners, time.monotonic())
    if Kind.FORGETS_CONVERSATION in manners:
        world.later(manners[Kind.FORGETS_CONVERSATION], functools.partial(world.target.forget, conversation))
    if Kind.FORGETS_ITEMS in manners:
        for entry in new:
            forget = functools.partial(world.target.unlink, conversation, entry.id)
            world.later(manners[Kind.FORGETS_ITEMS], forget)


def resolve_items(
    target: Target,
    conversation: Conversation | None,
    items: Iterable[Json],
    manners: Mapping[str, float] = NO_MANNERS,
) -> list[Stored]:
    """Turn checked items into what would be appended; stores nothing.

    Recorded: an id that exists elsewhere brings the old content, whatever was sent with it; an id that the
    conversation holds already is a 400. Other servers do otherwise, which the manners tell.
    """
    entries: list[Stored] = []
    taken: set[str] = set()
    for sent in items:
        item = sent
        if Kind.IDS_DROPPED in manners and item["type"] != "item_reference":
            item = {name: value for name, value in sent.items() if name != "id"}
        item_id = item.get("id")
        held = conversation is not None and item_id is not None and conversation.items.get(item_id)
        if held and Kind.REPEATS_SWALLOWED in manners:
            entries.append(held)
            continue
        if held and Kind.REPEATS_TAKEN in manners:
            entries.append(new_item({name: value for name, value in item.items() if name != "id"}))
            continue
        known = None if item_id is None else target.items.get(item_id)
        if known is None and item["type"] == "item_reference":
            raise _no_item(str(item_id))
        if item_id is not None:
            if item_id in taken or (conversation is not None and item_id in conversation.items):
                raise ApiError(
                    "Item already in conversation", param="items", code="item_already_in_conversation"
                )
            taken.add(item_id)
        entries.append(known or new_item(item))
    return entries


def new_item(item: Json) -> Stored:
    """Store an item in a form of its own; it gets an id unless the client gave one."""
    kind = item["type"]
    item_id = item.get("id") or new_id(id_prefix(kind))
    return Stored(
        id=item_id,
        raw=encode({"id": item_id, **{name: field for name, field in item.items() if name != "id"}}),
        label=kind,
        ref=item.get("container_id") if kind == "code_interpreter_call" else item.get("call_id"),
    )


def _page(entries: Sequence[Stored], *, has_more: bool) -> Answer:
    # spec: first_id and last_id are strings, also where there is nothing.
    return list_answer(
        [entry.id for entry in entries], [entry.raw for entry in entries], has_more=has_more, empty_id=""
    )


def _no_item(item_id: str) -> ApiError:
    return errors.not_found(f"Item with id '{item_id}' not found.")
