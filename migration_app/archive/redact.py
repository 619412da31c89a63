"""Redacting secrets in API objects before they are stored.

Foundry's objects may carry request headers of tool servers, connection ids and queue addresses. Their values
become ``[redacted]``. What people and models said (message content, metadata, instructions, arguments and
outputs of calls) and JSON schemas are never searched. Standard library only.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from typing import Any

from migration_app.contracts import MAX_JSON_DEPTH, JsonObject

REDACTED = "[redacted]"

# Names without "_" and "-", in lower case.
_SECRET_NAMES = frozenset(
    {
        "accesskey",
        "accesstoken",
        "accountkey",
        "apikey",
        "authorization",
        "bearertoken",
        "clientsecret",
        "connectionstring",
        "headers",
        "outputqueueuri",
        "password",
        "refreshtoken",
        "sastoken",
        "secret",
        "token",
        "xapikey",
    }
)
# index_connection_id and its like may hold subscription ids (Foundry).
_SECRET_ENDINGS = ("apikey", "authorization", "connectionid", "password", "secret")
# These hold people's text, or names with another meaning (a schema may describe a "token").
_LEFT_ALONE = frozenset(
    {
        "arguments",
        "attributes",
        "content",
        "functions",
        "input",
        "instructions",
        "json_schema",
        "metadata",
        "output",
        "outputs",
        "parameters",
        "properties",
        "response_format",
        "schema",
        "spec",
    }
)
_ADDRESSES = frozenset({"server_url", "url", "endpoint"})
_CONTAINERS = (dict, list)
_NAMES_KEPT = 100  # API objects have fewer
_DEEPEST = 2 * MAX_JSON_DEPTH
"""What holds something nested more deeply is not stored at all."""
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def redact(value: JsonObject) -> tuple[JsonObject, bool]:
    """The same object with secrets replaced, and whether there were any. ``value`` itself is not changed."""
    if not _may_hold_secrets(value):
        return value, False
    clean = {name: _clean(name, part) for name, part in value.items()}
    return (clean, True) if clean != value else (value, False)


def redacted_document(raw: bytes, value: JsonObject) -> tuple[bytes, JsonObject, bool]:
    """A document ready to be stored: its bytes, its value, and whether secrets were taken out.

    Without secrets the bytes stay exactly as received.
    """
    clean, changed = redact(value)
    return (json.dumps(clean).encode(), clean, True) if changed else (raw, value, False)


def _may_hold_secrets(value: JsonObject | list[Any], depth: int = 0) -> bool:
    """Whether there is a name of a secret or an address anywhere: asked first, because redacting copies everything."""
    if depth > _DEEPEST:
        return False
    parts: Iterable[Any] = value
    if isinstance(value, dict):
        names = tuple(value)
        searched = _searched(names) if len(names) <= _NAMES_KEPT else _searched.__wrapped__(names)
        if searched is None:
            return True
        parts = map(value.__getitem__, searched)
    for part in parts:  # noqa: SIM110 - a generator takes twice as long, and this is asked of every document
        if part and isinstance(part, _CONTAINERS) and _may_hold_secrets(part, depth + 1):
            return True
    return False


@functools.lru_cache(maxsize=1024)
def _searched(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Under which of an object's names others may be; None if one is that of a secret or an address.

    Objects of one type have the same names, in the same order: nearly always the answer is known.
    """
    if any((_is_secret(name) and name not in _LEFT_ALONE) or name in _ADDRESSES for name in names):
        return None
    return tuple(name for name in names if name not in _LEFT_ALONE)


def _clean(name: str, part: Any) -> Any:
    if name in _LEFT_ALONE:
        # Parts of list pages and bundles are elsewhere; these hold people's text.
        return part
    if _is_secret(name):
        return _blanked(part)
    if isinstance(part, dict):
        return {inner: _clean(inner, value) for inner, value in part.items()}
    if isinstance(part, list):
        return [_clean("", value) for value in part]
    if isinstance(part, str) and name in _ADDRESSES:
        return _LOGIN_IN_URL.sub(REDACTED, part)
    return part


def _is_secret(name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").lower()
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS)


def _blanked(part: Any) -> Any:
    """The shape stays (names of headers help an operator); values are removed."""
    if isinstance(part, dict):
        return {name: _blanked(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_blanked(value) for value in part]
    if isinstance(part, str) and part:
        return REDACTED
    if isinstance(part, int | float) and not isinstance(part, bool):
        return REDACTED
    return part
