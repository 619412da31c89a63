"""Requests and answers as plain values, and JSON as bytes. Knows no route, no rule and no state."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

from starlette.datastructures import QueryParams

from console.sandbox.errors import ApiError

Json = dict[str, Any]

NO_MANNERS: Mapping[str, float] = MappingProxyType({})

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Call:
    """One request: body already read, path parameters already found.

    `manners`: seconds by kind of fault, of those that say what the server is like (`faults.MANNERS`).
    """

    method: str
    path: str
    params: Mapping[str, str]
    query: QueryParams
    content_type: str
    body: bytes
    manners: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the body is JSON."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def encode(value: object) -> bytes:
    """Return `value` as compact UTF-8 JSON; half of a surrogate pair, which UTF-8 can't hold, is escaped."""
    try:
        return _compact(value).encode()
    except UnicodeEncodeError:
        return _ascii(value).encode()


def answer_of(value: object, status: int = 200) -> Answer:
    """Encode `value` into an answer."""
    return Answer(encode(value), status)


def refusal_of(error: ApiError) -> Answer:
    """Turn a refusal into its answer."""
    return Answer(encode(error.body()), error.status, error.headers)


def list_answer(ids: Sequence[str], raws: Sequence[bytes], *, has_more: bool, empty_id: str | None) -> Answer:
    """Return a list page out of objects that are JSON already; `empty_id` stands for both ids of an empty page."""
    first, last = (ids[0], ids[-1]) if ids else (empty_id, empty_id)
    tail = encode({"first_id": first, "last_id": last, "has_more": has_more})
    return Answer(b'{"object":"list","data":[' + b",".join(raws) + b"]," + tail[1:])


def decode(body: bytes) -> object:
    """Parse JSON strictly (no NaN); raises ValueError."""
    try:
        return json.loads(body, parse_constant=_not_json)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_object(call: Call, *, optional: bool = False) -> Json:
    """Return the request body, which must be a JSON object; with `optional` no body means an empty one."""
    if optional and not call.body:
        return {}
    # The official description knows JSON bodies only.
    if not call.content_type.startswith("application/json"):
        raise ApiError(
            f"Unsupported content type: '{call.content_type}'. This API method only accepts "
            "'application/json' requests.",
            code="unsupported_content_type",
        )
    try:
        value = decode(call.body)
    except ValueError as error:
        raise ApiError(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
            "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not "
            "valid JSON.)"
        ) from error
    if not isinstance(value, dict):
        raise ApiError("Invalid body: expected an object.")
    return value


def new_id(prefix: str) -> str:
    """Return an id nobody can guess or sort by: a client that orders by id must fail here."""
    return f"{prefix}_{secrets.token_hex(24)}"


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
