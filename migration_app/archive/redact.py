"""Redacting secrets in API objects before they are stored.

Foundry's objects may carry request headers of tool servers, connection ids and queue addresses. Their values
become ``[redacted]``. What people and models said (message content, metadata, instructions, arguments and
outputs of calls) and JSON schemas are never searched. Standard library only.
"""

from __future__ import annotations

import json
import re
from typing import Any

from migration_app.contracts import JsonObject

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
# Strings that a document without secrets lacks; in lower case.
_MARKS = (
    b"headers",
    b"authorization",
    b"key",
    b"token",
    b"secret",
    b"password",
    b"connection",
    b"queueuri",
    b"queue_uri",
    b"queue-uri",
)
# An escaped letter of a name could hide one.
ESCAPED_LETTERS = (b"\\u004", b"\\u005", b"\\u006", b"\\u007")
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def may_hold_secrets(raw: bytes) -> bool:
    """Whether a document's bytes must be checked by ``redact``."""
    low = raw.lower()
    for mark in _MARKS:  # no generator: this is asked of every document
        if mark in low:
            return True
    if b"\\u00" in low and any(letter in low for letter in ESCAPED_LETTERS):
        return True
    return b"://" in low and b"@" in low


def redact(value: JsonObject) -> tuple[JsonObject, bool]:
    """The same object with secrets replaced, and whether there were any. ``value`` itself is not changed."""
    clean = {name: _clean(name, part) for name, part in value.items()}
    return (clean, True) if clean != value else (value, False)


def redacted_document(raw: bytes, value: JsonObject) -> tuple[bytes, JsonObject, bool]:
    """A document ready to be stored: its bytes, its value, and whether secrets were taken out.

    Without secrets the bytes stay exactly as received.
    """
    if not may_hold_secrets(raw):
        return raw, value, False
    clean, changed = redact(value)
    return (json.dumps(clean).encode(), clean, True) if changed else (raw, value, False)


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
    if isinstance(part, str) and name in {"server_url", "url", "endpoint"}:
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
