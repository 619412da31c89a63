"""What an item may look like, and the form in which it is stored. See `rules` for what the sources mean.

Items hold no metadata and no created_at: such fields are refused as unknown, not swallowed. Item types that the
console does not send yet are checked for their required fields only. Knows no state.
"""

from collections.abc import Mapping
from typing import Any

from console.sandbox import errors
from console.sandbox.errors import ApiError
from console.sandbox.rules import ITEMS_A_CALL, Field, Shape, check_fields
from console.sandbox.wire import Json

TEXT_LONGEST = 10_485_760  # spec: InputTextContentParam.text, FunctionCallOutputItemParam.output
IMAGE_URL_LONGEST = 20_971_520  # spec: InputImageContentParamAutoParam.image_url
FILE_DATA_LONGEST = 73_400_320  # spec: InputFileContentParam.file_data

TEXT = Field(required=True)
INPUT_TEXT = Field(required=True, longest=TEXT_LONGEST)
COUNT = Field((int,), required=True)
OPTIONAL = Field(nullable=True)
STATUSES = ("in_progress", "completed", "incomplete")  # spec: MessageStatus, FunctionCallItemStatus
STATUS = Field(nullable=True, values=STATUSES)
BREAKPOINT = Field((dict,), nullable=True)

PARTS: Mapping[str, Shape] = {
    "input_text": {"type": TEXT, "text": INPUT_TEXT, "prompt_cache_breakpoint": BREAKPOINT},
    "input_image": {
        "type": TEXT,
        "image_url": Field(nullable=True, longest=IMAGE_URL_LONGEST),
        "file_id": OPTIONAL,
        "detail": Field(nullable=True, values=("low", "high", "auto", "original")),
        "prompt_cache_breakpoint": BREAKPOINT,
    },
    "input_file": {
        "type": TEXT,
        "file_id": OPTIONAL,
        "filename": OPTIONAL,
        "file_data": Field(nullable=True, longest=FILE_DATA_LONGEST),
        "file_url": OPTIONAL,
        "detail": Field(values=("auto", "low", "high")),
        "prompt_cache_breakpoint": BREAKPOINT,
    },
    # Recorded: annotations and logprobs may be left out, and are added.
    "output_text": {
        "type": TEXT,
        "text": TEXT,
        "annotations": Field((list,)),
        "logprobs": Field((list,), nullable=True),
    },
    "refusal": {"type": TEXT, "refusal": TEXT},
}
INPUT_PARTS = ("input_text", "input_image", "input_file")
# Reported: under an assistant only these two, in this order in the message. An `input_image` there would break
# every later turn.
OUTPUT_PARTS = ("output_text", "refusal")
ROLE_PARTS: Mapping[str, tuple[str, ...]] = {
    "user": INPUT_PARTS,
    "system": INPUT_PARTS,
    "developer": INPUT_PARTS,
    "assistant": OUTPUT_PARTS,
}

# spec: FileCitationParam, FilePath, UrlCitationParam, ContainerFileCitationParam
ANNOTATIONS: Mapping[str, Shape] = {
    "file_citation": {"type": TEXT, "file_id": TEXT, "filename": TEXT, "index": COUNT},
    "file_path": {"type": TEXT, "file_id": TEXT, "index": COUNT},
    "url_citation": {"type": TEXT, "url": TEXT, "title": TEXT, "start_index": COUNT, "end_index": COUNT},
    "container_file_citation": {
        "type": TEXT,
        "container_id": TEXT,
        "file_id": TEXT,
        "filename": TEXT,
        "start_index": COUNT,
        "end_index": COUNT,
    },
}

TYPE = Field(nullable=True)
ITEMS: Mapping[str, Shape] = {
    "message": {
        "type": TYPE,
        "id": OPTIONAL,
        "role": Field(required=True, values=("assistant", "system", "developer", "user")),
        "content": Field((str, list), required=True),
        "status": STATUS,
        "phase": Field(nullable=True, values=("commentary", "final_answer")),
    },
    "function_call": {
        "type": TYPE,
        "id": OPTIONAL,
        "call_id": TEXT,
        "name": TEXT,
        "arguments": TEXT,
        "status": STATUS,
        "namespace": OPTIONAL,
        "caller": Field((dict,), nullable=True),
    },
    # Accepted without its call: it is the next response that fails (reported). A call_id is required here, though
    # the spec lets it be null: without one an output belongs to nothing.
    "function_call_output": {
        "type": TYPE,
        "id": OPTIONAL,
        "call_id": Field(required=True, longest=64),
        "output": Field((str, list), required=True, longest=TEXT_LONGEST),
        "status": STATUS,
        "name": Field(nullable=True, longest=128),
        "namespace": Field(nullable=True, longest=64),
        "caller": Field((dict,), nullable=True),
    },
    "code_interpreter_call": {
        "type": TYPE,
        "id": TEXT,
        "container_id": TEXT,
        "code": OPTIONAL,
        "outputs": Field((list,), nullable=True),
        "status": Field(values=("in_progress", "completed", "incomplete", "interpreting", "failed")),
    },
    "file_search_call": {
        "type": TYPE,
        "id": TEXT,
        "queries": Field((list,), required=True),
        "results": Field((list,), nullable=True),
        "status": Field(values=("in_progress", "searching", "completed", "incomplete", "failed")),
    },
    "item_reference": {"type": TYPE, "id": TEXT},
}
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "function_call": {"status": "completed"},
    "function_call_output": {"status": "completed"},
    "code_interpreter_call": {"status": "completed", "code": None, "outputs": None},
    "file_search_call": {"status": "completed", "results": None},
}

# Types the console may come to send: required fields by the spec, the rest is taken as it is.
OTHER_ITEMS: Mapping[str, tuple[str, ...]] = {
    "web_search_call": ("id", "status"),
    "image_generation_call": ("id", "status", "result"),
    "computer_call": ("id", "call_id", "status"),
    "computer_call_output": ("call_id", "output"),
    "reasoning": ("id", "summary"),
    "mcp_list_tools": ("id", "server_label", "tools"),
    "mcp_call": ("id", "server_label", "name", "arguments"),
    "mcp_approval_request": ("id", "server_label", "name", "arguments"),
    "mcp_approval_response": ("approval_request_id", "approve"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "local_shell_call": ("id", "call_id", "action", "status"),
    "local_shell_call_output": ("id", "output"),
    "compaction": ("encrypted_content",),
}

# Recorded for messages and function calls; reported for the two others.
CHECKED_PREFIXES: Mapping[str, str] = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fc",
    "code_interpreter_call": "ci",
    "file_search_call": "fs",
}


def check_items(value: object, param: str = "items", *, most: int | None = ITEMS_A_CALL) -> list[Json]:
    """Return the items in stored form (their ids only where the client gave one), or refuse the first bad one."""
    if not isinstance(value, list):
        raise errors.wrong_type(param, "an array of objects", value)
    if most is not None and len(value) > most:
        raise ApiError(
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(value)} instead.",
            param=param,
            code="array_above_max_length",
        )
    return [_check_item(item, f"{param}[{index}]") for index, item in enumerate(value)]


def id_prefix(kind: str) -> str:
    """Return what the ids of that item type begin with, when the service makes them."""
    return CHECKED_PREFIXES.get(kind) or "".join(word[0] for word in kind.split("_"))


def _check_item(item: object, where: str) -> Json:
    if not isinstance(item, dict):
        raise errors.wrong_type(where, "an object", item)
    kind = item.get("type") or _implied_type(item, where)
    shape = ITEMS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        required = OTHER_ITEMS.get(kind) if isinstance(kind, str) else None
        if required is None:
            raise errors.wrong_value(where, kind, (*ITEMS, *OTHER_ITEMS))
        check_fields(item, {"id": OPTIONAL}, where, closed=False)
        for name in required:
            if name not in item:
                raise errors.missing(f"{where}.{name}")
        return item
    check_fields(item, shape, where)
    _check_id(item.get("id"), kind, where)
    if kind == "message":
        return _stored_message(item, where)
    if kind == "function_call_output" and isinstance(item["output"], list):
        output = [
            _stored_part(part, INPUT_PARTS, f"{where}.output[{index}]")
            for index, part in enumerate(item["output"])
        ]
        return {**DEFAULTS[kind], **_given(item), "output": output}
    return {**DEFAULTS.get(kind, {}), **_given(item), "type": kind}


def _implied_type(item: Mapping[str, Any], where: str) -> str:
    """Tell what an item without a type is: the spec lets messages and references leave it out."""
    if "role" in item:
        return "message"
    if "id" in item:
        return "item_reference"
    raise errors.missing(f"{where}.type")


def _check_id(item_id: object, kind: str, where: str) -> None:
    prefix = CHECKED_PREFIXES.get(kind)
    if isinstance(item_id, str) and prefix is not None and not item_id.startswith(prefix):
        raise ApiError(
            f"Invalid '{where}.id': '{item_id}'. Expected an ID that begins with '{prefix}'.",
            param=f"{where}.id",
            code="invalid_value",
        )


def _stored_message(item: Mapping[str, Any], where: str) -> Json:
    """Return a message the way it comes back (recorded): content in parts, status completed."""
    role, content = item["role"], item["content"]
    allowed = ROLE_PARTS[role]
    if isinstance(content, str):
        content = [{"type": allowed[0], "text": content}]
    parts = [_stored_part(part, allowed, f"{where}.content[{index}]") for index, part in enumerate(content)]
    stored: Json = {"type": "message", "status": "completed", **_given(item)}
    stored["content"] = parts
    return stored


def _stored_part(part: object, allowed: tuple[str, ...], where: str) -> Json:
    if not isinstance(part, dict):
        raise errors.wrong_type(where, "an object", part)
    if "type" not in part:
        raise errors.missing(f"{where}.type")
    kind = part["type"]
    if kind not in allowed:
        raise errors.wrong_value(where, kind, allowed)
    check_fields(part, PARTS[kind], where)
    if kind == "output_text":
        annotations = part.get("annotations") or []
        for index, annotation in enumerate(annotations):
            _check_annotation(annotation, f"{where}.annotations[{index}]")
        return {**part, "annotations": annotations, "logprobs": part.get("logprobs") or []}
    if kind == "input_image":
        _check_url(part.get("image_url"), f"{where}.image_url")
        return {
            "type": kind,
            "detail": part.get("detail") or "auto",
            "file_id": part.get("file_id"),
            "image_url": part.get("image_url"),
        }
    if kind == "input_file":
        _check_url(part.get("file_url"), f"{where}.file_url")
    return _given(part)


def _check_annotation(annotation: object, where: str) -> None:
    if not isinstance(annotation, dict):
        raise errors.wrong_type(where, "an object", annotation)
    kind = annotation.get("type")
    if kind is None:
        raise errors.missing(f"{where}.type")
    if not isinstance(kind, str) or kind not in ANNOTATIONS:
        raise errors.wrong_value(where, kind, tuple(ANNOTATIONS))
    check_fields(annotation, ANNOTATIONS[kind], where)


def _check_url(url: str | None, param: str) -> None:
    """Hold the spec's `format: uri`: something with a scheme."""
    if url is None:
        return
    scheme, colon, rest = url.partition(":")
    if not (colon and rest and scheme[:1].isalpha() and scheme.replace("+", "a").replace("-", "a").isalnum()):
        raise ApiError(
            f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format.",
            param=param,
            code="invalid_value",
        )


def _given(value: Mapping[str, Any]) -> Json:
    """Leave nulls out: an optional field given as null is a field not given."""
    return {name: field for name, field in value.items() if field is not None}
