"""JSON by orjson where that reads exactly what the standard library does; everything else by the standard library.

orjson takes the last of repeated names without a word, makes floats of integers beyond 64 bits, and refuses lone
surrogates, NaN and deep nesting, all of which real archives hold. So a text that it may have read differently is left
to ``json``: a few passes over its bytes tell. Knows neither Django nor the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

# Digits are alike, and so is what may stand before a number: twenty bytes then show an integer that may be too long.
_SHAPES = bytes.maketrans(b"123456789:,[- \t\r\n", b"000000000::::::::")
_LONG_INTEGER = b":" + b"0" * 19
_ESCAPED_COLON = b"\\u003"
_CONTAINERS = (dict, list)


def json_decode(raw: bytes, otherwise: Callable[[str], Any] = json.loads) -> Any:
    """Decode a JSON text in UTF-8; ``otherwise`` reads one that orjson may read differently.

    Raises what ``otherwise`` does, and UnicodeDecodeError.
    """
    try:
        value = orjson.loads(raw)
        if _is_unambiguous(raw, value):
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return otherwise(raw.decode())


def _is_unambiguous(raw: bytes, value: Any) -> bool:
    """Whether any reader would have made this value of the text. Raises JSONEncodeError where it is nested deeply."""
    # Each name has one colon: where one is repeated, the value has fewer of them than the text.
    return (
        isinstance(value, _CONTAINERS)
        and raw.count(b":") == orjson.dumps(value).count(b":")
        and _ESCAPED_COLON not in raw
        and _LONG_INTEGER not in raw.translate(_SHAPES)
    )
