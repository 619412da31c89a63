"""Unambiguous JSON text: a repeated name with different values in one object is refused.

Imports only the JSON codec.
"""

from __future__ import annotations

import json
from typing import Any

from migration_app.json_codec import json_decode, json_decode_again


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        for name, said in pairs:
            if repr(said) != repr(value[name]):
                raise ValueError(f"the name {name[:80]!r} occurs twice in one object, with different values")
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def document_read(raw: bytes) -> Any:
    """The same of a text in UTF-8, most of them ten times as fast. Raises UnicodeDecodeError too."""
    return json_decode(raw, _read_slowly)


def stored_read(raw: bytes) -> Any:
    """The same of a text that ``document_read`` has read before."""
    return json_decode_again(raw, _read_slowly)


def _read_slowly(raw: bytes) -> Any:
    return json_read(raw.decode())


def json_read(text: str) -> Any:
    """Decode a JSON text. Raises ValueError (JSONDecodeError where it is no JSON) and RecursionError."""
    return DECODER.decode(text)
