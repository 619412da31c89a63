"""Reading loosely typed JSON: strings that UTF-8 can carry, ids, times, addresses, labels for operators.

Real objects hold null, numbers or strings where the API's description promises one of them, so every
function here takes any ``object``. Imports only ``contracts``.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from migration_app.contracts import MAX_JSON_DEPTH

_MAX_INTEGER_BITS = 4096  # Python refuses to write integers of more than 4300 digits
_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138: some servers count in milliseconds
_LABEL_LENGTH = 80
_LABELS_LISTED = 20

_SHAPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}
_SURROGATES = re.compile("[\\ud800-\\udfff]")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(//[^/?#]+)?([^#]*)(?:#(.*))?", re.DOTALL)
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_URI_SAFE = "%:/?@!$&'()*+,;=-._~"


def clean_text(value: str) -> str:
    """The string with every lone surrogate, which UTF-8 cannot carry, as U+FFFD: length and offsets stay."""
    return value if is_clean(value) else _SURROGATES.sub("\ufffd", value)


def is_clean(value: str) -> bool:
    """Whether UTF-8 can carry the string."""
    return value.isascii() or _SURROGATES.search(value) is None


def copy_json(value: object, troubles: set[str], depth: int = 0) -> Any:
    """Deep copy that any JSON writer accepts; what had to change is added to ``troubles`` as finding codes."""
    if isinstance(value, str):
        cleaned = clean_text(value)
        if cleaned != value:
            troubles.add("lone_surrogate")
        return cleaned
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict | list) and depth >= MAX_JSON_DEPTH:
        troubles.add("json_too_deep")
        return None
    if isinstance(value, dict):
        return {clean_text(str(key)): copy_json(entry, troubles, depth + 1) for key, entry in value.items()}
    if isinstance(value, list):
        return [copy_json(entry, troubles, depth + 1) for entry in value]
    if isinstance(value, int) and value.bit_length() <= _MAX_INTEGER_BITS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    troubles.add("json_value_unusable")
    return None


def json_text(value: object) -> str:
    """Compact JSON of a value that ``copy_json`` made, keys in their own order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_json(value: str) -> bool:
    """Whether the string is a JSON document, as every reader takes one: Python's also takes NaN and Infinity."""
    try:
        json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return False
    return True


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no number {name}.")


def parse_json(value: str) -> tuple[bool, Any]:
    """Whether the string is JSON, and what it says."""
    try:
        return True, json.loads(value)
    except (ValueError, RecursionError):
        return False, None


def as_id(value: object) -> str:
    """An opaque id as a string; empty when there is none that can be used."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MAX_INTEGER_BITS:
        return str(value)
    return ""


def source_id_of(source: Mapping[str, object], kind: str, position: int) -> str:
    """The object's id, or a text that names it by its place in the thread (positions count from 0)."""
    return as_id(source.get("id")) or f"({kind} {position + 1} without id)"


def as_object(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_number(value: object) -> float | int | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def parse_time(value: object) -> float | None:
    """Seconds since 1970 from a number, a digit string, milliseconds or ISO 8601; None when it is no time."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _parse_iso(str(value))
    number = as_number(value)
    if number is None or abs(number) >= 1e18:
        return None
    return float(number) / 1000 if abs(number) > _MILLISECONDS_FROM else float(number)


def _parse_iso(value: str) -> float | None:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp()


def as_uri(value: object) -> str | None:
    """An absolute address with what RFC 3986 forbids percent-encoded; None when it is no address.

    The description demands ``format: uri``; browsers and models wrote spaces and non-Latin paths.
    """
    match = _ADDRESS.fullmatch(clean_text(value).strip()) if isinstance(value, str) else None
    if match is None:
        return None
    scheme, authority, path, fragment = match.groups(default="")
    if not path.strip("/") and not authority:
        return None
    if scheme.lower() == "data:":
        path = "".join(path.split())  # line breaks of wrapped base64 are no part of the data
    encoded = scheme + _encode(authority, _URI_SAFE + "[]") + _encode(path, _URI_SAFE)
    return encoded if match[4] is None else f"{encoded}#{_encode(fragment, _URI_SAFE)}"


def _encode(value: str, safe: str) -> str:
    return urllib.parse.quote(_LONE_PERCENT.sub("%25", value), safe=safe)


def same_json(first: object, second: object) -> bool:
    """Whether two values are the same JSON: to Python ``1 == True``, to JSON and its readers it is not."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            same_json(value, second[name]) for name, value in first.items()
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same_json, first, second))
    return first == second


def shape_of(value: object) -> str:
    """What kind of JSON value it is, in words."""
    return "nothing" if value is None else _SHAPES.get(type(value), "no JSON value")


def label(value: object) -> str:
    """A name or id for a finding's text: one line, at most 80 characters."""
    plain = value if isinstance(value, str) else shape_of(value)
    line = " ".join("".join(c if c.isprintable() else " " for c in plain[: _LABEL_LENGTH * 2]).split())
    return line if len(line) <= _LABEL_LENGTH else line[: _LABEL_LENGTH - 1] + "…"


def labels(values: Iterable[object]) -> str:
    """Names or ids for a finding's text: the first twenty, then how many more."""
    listed = [label(value) for value in values]
    more = len(listed) - _LABELS_LISTED
    return ", ".join(listed[:_LABELS_LISTED]) + (f" and {more} more" if more > 0 else "")


def unknown_fields(source: Mapping[str, object], known: frozenset[str]) -> list[str]:
    """Names of the fields that say something and that nothing here knows."""
    return [
        str(key)
        for key, value in source.items()
        if key not in known and value not in (None, "", [], {}, False)
    ]
