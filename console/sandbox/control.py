"""The control endpoint under /_sandbox: switch faults on, see what is stored, grow threads. Loopback only.

The app lets nobody else in; no API key is asked, and nothing here is ever hit by a fault.
"""

import time

from console.sandbox.errors import ApiError, not_found
from console.sandbox.faults import FaultError, rules_from_json
from console.sandbox.seed import SeedError, seed_lines
from console.sandbox.wire import Answer, Call, Json, answer_of, decode, encode, list_answer, new_id
from console.sandbox.world import World


def fault_list(world: World, _call: Call) -> Answer:
    """GET /_sandbox/faults: the rules, how many requests they matched and how many they hit."""
    shown = [
        {
            "kind": armed.rule.kind,
            "match": armed.rule.match,
            "times": armed.rule.times,
            "after": armed.rule.after,
            "every": armed.rule.every,
            "seconds": armed.rule.seconds,
            "retry_after": armed.rule.retry_after,
            "status": armed.rule.status,
            "seen": armed.seen,
            "fired": armed.fired,
        }
        for armed in world.faults.armed
    ]
    return answer_of({"faults": shown})


def fault_add(world: World, call: Call) -> Answer:
    """POST /_sandbox/faults: one rule object, a list of them, or `{"spec": SPEC}`."""
    try:
        rules = rules_from_json(decode(call.body))
    except FaultError as error:
        raise ApiError(str(error)) from error
    except ValueError as error:
        raise ApiError(f"The body is not JSON: {error}.") from error
    for rule in rules:
        world.faults.add(rule)
    return fault_list(world, call)


def fault_clear(world: World, call: Call) -> Answer:
    """DELETE /_sandbox/faults."""
    world.faults.clear()
    return fault_list(world, call)


def state_get(world: World, _call: Call) -> Answer:
    """GET /_sandbox/state: counts."""
    source, target = world.source, world.target
    alive = [found for found in target.conversations.values() if not found.deleted]
    return answer_of(
        {
            "conversations": len(alive),
            "deleted_conversations": len(target.conversations) - len(alive),
            "items": {found.id: len(found.items) for found in alive},
            "stored_items": len(target.items),
            "threads": len(source.threads),
            "messages": sum(len(shelf) for shelf in source.messages.values()),
            "assistants": len(source.assistants),
            "requests": dict(world.log.by_route),
            "late": world.late,
        }
    )


def request_list(world: World, _call: Call) -> Answer:
    """GET /_sandbox/requests: the last ones, oldest first."""
    return answer_of({"total": world.log.total, "requests": [entry.as_json() for entry in world.log.entries]})


def reset(world: World, call: Call) -> Answer:
    """POST /_sandbox/reset: forget all; `?keep=source` leaves the seeds."""
    world.reset(keep_source=call.query.get("keep") == "source")
    return answer_of({"reset": True})


def seed(world: World, call: Call) -> Answer:
    """POST /_sandbox/seed: JSON Lines of API objects."""
    try:
        report = seed_lines(world.source, call.body.splitlines(), "seed")
    except SeedError as error:
        raise ApiError(str(error)) from error
    return answer_of({"taken": dict(report.taken), "ignored": dict(report.ignored)})


def message_add(world: World, call: Call) -> Answer:
    """POST /_sandbox/threads/{thread_id}/messages: `{"role", "text"}`, to let a thread grow after its copy."""
    thread_id = call.params["thread_id"]
    if thread_id not in world.source.threads:
        raise not_found(f"No thread found with id '{thread_id}'.")
    try:
        body = decode(call.body)
    except ValueError as error:
        raise ApiError(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict) or body.get("role") not in {"user", "assistant"}:
        raise ApiError('Expected {"role": "user" or "assistant", "text": "…"}.')
    latest = max((message.created_at or 0 for message in world.source.messages[thread_id]), default=0)
    message: Json = {
        "id": new_id("msg"),
        "object": "thread.message",
        "created_at": max(latest, int(time.time())),
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": body["role"],
        "content": [{"type": "text", "text": {"value": str(body.get("text", "")), "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }
    seed_lines(world.source, [encode(message)], "message")
    return answer_of(message)


def conversation_get(world: World, call: Call) -> Answer:
    """GET /_sandbox/conversations/{conversation_id}: the whole truth, oldest first, deleted ones too."""
    conversation = world.target.conversations.get(call.params["conversation_id"])
    if conversation is None:
        raise not_found(f"Conversation with id '{call.params['conversation_id']}' was never here.")
    items = list(conversation.items)
    page = list_answer(
        [item.id for item in items], [item.raw for item in items], has_more=False, empty_id=None
    )
    head = encode({"conversation": conversation.as_json(), "deleted": conversation.deleted})
    return Answer(head[:-1] + b',"items":' + page.body + b"}")
