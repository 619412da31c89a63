"""POST /responses with a canned, deterministic answer, DELETE of one, and the list of models.

What it checks is what breaks a migrated conversation on its next turn: function calls without outputs and the other
way round, foreign containers, unknown models, and prompts still written in the Assistants' words.
"""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from console.sandbox import errors
from console.sandbox.errors import ApiError, not_found
from console.sandbox.items import check_items
from console.sandbox.rules import ANYTHING, Field, Shape, check_fields, check_metadata
from console.sandbox.store import Conversation, Stored
from console.sandbox.target import append_entries, find_conversation, new_item, resolve_items
from console.sandbox.wire import Answer, Call, Json, answer_of, encode, list_answer, new_id, read_object
from console.sandbox.world import World

QUOTED_CHARACTERS = 200
CALL = re.compile(r"\[\[call ([\w-]+) (\{.*?\})\]\]", re.DOTALL)

NUMBER = Field((int, float), nullable=True)
# Of the spec's CreateResponse; what is ANYTHING here is taken unread. Others are refused as unknown.
OTHERS = (
    *("background", "context_management", "conversation", "include", "input", "max_output_tokens"),
    *("max_tool_calls", "metadata", "moderation", "parallel_tool_calls", "previous_response_id", "prompt"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"),
    *(
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "tool_choice",
        "top_logprobs",
        "truncation",
        "user",
    ),
)
BODY: Shape = {
    **dict.fromkeys(OTHERS, ANYTHING),
    "model": Field(nullable=True),
    "instructions": Field((str, list), nullable=True),
    "tools": Field((list,), nullable=True),
    "text": Field((dict,), nullable=True),
    "reasoning": Field((dict,), nullable=True),
    "temperature": NUMBER,
    "top_p": NUMBER,
}
RANGES: Mapping[str, float] = {"temperature": 2, "top_p": 1}  # spec: ModelResponseProperties; both from 0

# spec: Tool. An Assistants tool has its function's name one level deeper: refused as a missing name.
TOOLS: Mapping[str, tuple[str, ...]] = {
    "function": ("name", "parameters"),
    "file_search": ("vector_store_ids",),
    "code_interpreter": ("container",),
    "mcp": ("server_label",),
    "custom": ("name",),
    "web_search": (),
    "web_search_preview": (),
    "image_generation": (),
    "computer_use_preview": (),
    "local_shell": (),
}
FORMATS: Mapping[str, tuple[str, ...]] = {"text": (), "json_object": (), "json_schema": ("name", "schema")}


def response_create(world: World, call: Call) -> Answer:
    """POST /responses: checks the whole turn, then appends its input and its answer to the conversation."""
    body = read_object(call)
    _check_body(world, body)
    conversation = _conversation(world, body.get("conversation"))
    items = _input_items(body.get("input"))
    entries = resolve_items(world.target, conversation, items, call.manners)
    check_turn([*(conversation.items if conversation is not None else ()), *entries])
    response_id = new_id("resp")
    output = _calls(items, body.get("tools") or []) or [_message(_answer_text(items))]
    if conversation is not None:
        append_entries(world, conversation, [*entries, *map(new_item, output)], call.manners)
    context = conversation.items if conversation is not None else entries
    if body.get("store") is not False:
        world.target.responses.add(response_id)
    return answer_of(_response(response_id, body, conversation, output, context))


def response_delete(world: World, call: Call) -> Answer:
    """DELETE /responses/{response_id}: of a response only its id is kept here."""
    response_id = call.params["response_id"]
    if response_id not in world.target.responses:
        raise not_found(f"Response with id '{response_id}' not found.")
    world.target.responses.remove(response_id)
    return answer_of({"id": response_id, "object": "response", "deleted": True})


def model_list(world: World, _call: Call) -> Answer:
    """GET /models: one page, always (spec)."""
    models = list(world.source.models)
    return list_answer(
        [model.id for model in models], [model.raw for model in models], has_more=False, empty_id=None
    )


def model_get(world: World, call: Call) -> Answer:
    """GET /models/{model}."""
    model = world.source.models.get(call.params["model"])
    if model is None:
        raise not_found(_no_model(call.params["model"]), param="model", code="model_not_found")
    return Answer(model.raw)


def check_turn(entries: Iterable[Stored]) -> None:
    """Refuse a context that the service would refuse (all three reported)."""
    open_calls: dict[str | None, None] = {}
    known_calls: set[str | None] = set()
    for entry in entries:
        if entry.label == "function_call":
            open_calls[entry.ref] = None
            known_calls.add(entry.ref)
        elif entry.label == "function_call_output":
            if entry.ref not in known_calls:
                raise ApiError(
                    f"No tool call found for function call output with call_id {entry.ref}.", param="input"
                )
            open_calls.pop(entry.ref, None)
        elif entry.label == "code_interpreter_call" and not str(entry.ref).startswith("cntr_"):
            raise ApiError(f"Expected container_id: cntr_…, but got '{entry.ref}'.", param="input")
    for call_id in open_calls:
        raise ApiError(f"No tool output found for function call {call_id}.", param="input")


def _check_body(world: World, body: Json) -> None:
    check_fields(body, BODY, "")
    model = body.get("model")
    if model is None and body.get("prompt") is None:
        raise errors.missing("model")
    if model is not None and model not in world.source.models:
        raise ApiError(_no_model(model), param="model", code="model_not_found")
    if body.get("stream"):
        raise ApiError("The sandbox does not stream: leave 'stream' out.", param="stream")
    if body.get("previous_response_id") is not None:
        raise ApiError(
            "The sandbox keeps no responses: continue by 'conversation' instead of 'previous_response_id'.",
            param="previous_response_id",
        )
    check_metadata(body.get("metadata"))
    for name, highest in RANGES.items():
        given = body.get(name)
        if given is not None and not 0 <= given <= highest:
            raise ApiError(f"Invalid '{name}': expected a value from 0 to {highest}.", param=name)
    for index, tool in enumerate(body.get("tools") or []):
        _check_variant(tool, TOOLS, f"tools[{index}]")
    answer_format = (body.get("text") or {}).get("format")
    if answer_format is not None:
        _check_variant(answer_format, FORMATS, "text.format")


def _check_variant(value: object, variants: Mapping[str, tuple[str, ...]], where: str) -> None:
    """Refuse an object whose `type` is unknown or that lacks what its type requires."""
    if not isinstance(value, dict):
        raise errors.wrong_type(where, "an object", value)
    kind = value.get("type")
    if kind is None:
        raise errors.missing(f"{where}.type")
    if not isinstance(kind, str) or kind not in variants:
        raise errors.wrong_value(where, kind, tuple(variants))
    for name in variants[kind]:
        if name not in value:
            raise errors.missing(f"{where}.{name}")


def _conversation(world: World, value: object) -> Conversation | None:
    """Find the conversation, given as its id or as an object with it (spec: ConversationParam)."""
    if value is None:
        return None
    conversation_id = value.get("id") if isinstance(value, dict) else value
    if not isinstance(conversation_id, str):
        raise errors.wrong_type("conversation", "a string or an object with an id", value)
    return find_conversation(world, conversation_id)


def _input_items(value: object) -> list[Json]:
    if value is None:
        return []
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    return check_items(value, "input", most=None)


def _message(text: str) -> Json:
    return {
        "id": new_id("msg"),
        "type": "message",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
        "role": "assistant",
    }


def _calls(items: list[Json], tools: Iterable[Json]) -> list[Json]:
    """Call the functions that the last message of the user asks for by ``[[call NAME {…}]]``, if they are tools."""
    names = {tool.get("name") for tool in tools if tool.get("type") == "function"}
    if any(item["type"] == "function_call_output" for item in items):
        return []
    return [
        {
            "id": new_id("fc"),
            "type": "function_call",
            "status": "completed",
            "call_id": new_id("call"),
            "name": name,
            "arguments": arguments,
        }
        for name, arguments in CALL.findall(_last_user_text(items) or "")
        if name in names
    ]


def _last_user_text(items: list[Json]) -> str | None:
    for item in reversed(items):
        for part in reversed(item.get("content") or []):
            if item.get("role") == "user" and part["type"] == "input_text":
                return str(part["text"])
    return None


def _answer_text(items: list[Json]) -> str:
    """Answer with the last output or text that was given, so that a test can tell answers apart."""
    if items and items[-1]["type"] == "function_call_output":
        return f"The sandbox was told: {str(items[-1]['output'])[:QUOTED_CHARACTERS]}"
    text = _last_user_text(items)
    return (
        "The sandbox heard nothing new." if text is None else f"The sandbox heard: {text[:QUOTED_CHARACTERS]}"
    )


def _response(
    response_id: str,
    body: Mapping[str, Any],
    conversation: Conversation | None,
    output: list[Json],
    context: Iterable[Stored],
) -> Json:
    """Return the response object: all that the spec requires, and what the SDK reads."""
    now = int(time.time())
    # Nobody counts tokens here: four bytes of JSON a token.
    read, written = sum(len(entry.raw) for entry in context) // 4, len(encode(output)) // 4
    given = {name: value for name, value in body.items() if value is not None}
    return {
        "id": response_id,
        "object": "response",
        "created_at": now,
        "completed_at": now,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "model": given.get("model", "gpt-4o"),
        "output": output,
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "conversation": None if conversation is None else {"id": conversation.id},
        "prompt": given.get("prompt"),
        "reasoning": given.get("reasoning", {"effort": None, "summary": None}),
        "store": given.get("store", True),
        "temperature": given.get("temperature", 1.0),
        "text": given.get("text", {"format": {"type": "text"}}),
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_p": given.get("top_p", 1.0),
        "truncation": given.get("truncation", "disabled"),
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        },
        "metadata": given.get("metadata", {}),
    }


def _no_model(model: str) -> str:
    return f"The model '{model}' does not exist or you do not have access to it."
