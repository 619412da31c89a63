"""JSON by orjson where that does exactly what the standard library does; everything else by the standard library.

orjson takes the last of repeated names without a word, makes floats of integers beyond 64 bits, writes NaN as null and
floats in another form, and refuses lone surrogates, NaN, other encodings than UTF-8 and deep nesting, all of which real
archives and servers hold. So each caller brings its way by ``json``, and what orjson may have done differently is left
to that: a few passes over the bytes tell. Knows neither Django nor the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

_INDENTED = (b"{\n", b"[\n")
# Digits are alike, and so is what may stand before a number: twenty bytes then show an integer that may be too long.
_SHAPES = bytes.maketrans(b"123456789:,[- \t\r\n", b"000000000::::::::")
_LONG_INTEGER = b":" + b"0" * 19
_ESCAPED_COLON = b"\\u003"
_CONTAINERS = (dict, list)
_LARGEST = 1 << 20
"""While orjson reads a text it takes six times its bytes besides the value (measured); ``json`` takes them once."""


def json_decode(raw: bytes, otherwise: Callable[[bytes], Any] = json.loads) -> Any:
    """Decode a JSON text; ``otherwise`` reads one that orjson may read differently. Raises what that does."""
    if len(raw) <= _LARGEST:
        try:
            value = orjson.loads(raw)
            if _is_unambiguous(raw, value):
                return value
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return otherwise(raw)


def json_decode_again(raw: bytes, otherwise: Callable[[bytes], Any]) -> Any:
    """Decode a text that ``json_decode`` has decoded before; repeated names were found then."""
    if len(raw) <= _LARGEST:
        try:
            value = orjson.loads(raw)
            if isinstance(value, _CONTAINERS) and _LONG_INTEGER not in raw.translate(_SHAPES):
                return value
        except orjson.JSONDecodeError:
            pass
    return otherwise(raw)


def _is_unambiguous(raw: bytes, value: Any) -> bool:
    """Whether any reader would have made this value of the text. Raises JSONEncodeError where it is nested deeply."""
    written = orjson.dumps(value, option=orjson.OPT_INDENT_2 if raw.startswith(_INDENTED) else None)
    # Most servers write as orjson does. Else: each name has one colon, so where one is repeated, the value has fewer of
    # them than the text.
    return isinstance(value, _CONTAINERS) and (
        raw == written
        or (
            raw.count(b":") == written.count(b":")
            and _ESCAPED_COLON not in raw
            and _LONG_INTEGER not in raw.translate(_SHAPES)
        )
    )


def json_encode(value: object, otherwise: Callable[[Any], bytes]) -> bytes:
    """Encode as compact JSON in UTF-8, names in their own order.

    ``otherwise`` writes what orjson may write differently. Raises what that does.
    """
    try:
        if _has_one_form(value):
            return orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError):  # a lone surrogate, a long integer, or deep nesting
        pass
    return otherwise(value)


def _has_one_form(value: object) -> bool:
    """Whether it consists of objects, arrays, strings, integers, booleans and null alone: no float, nothing foreign."""
    if isinstance(value, dict):
        for name, entry in value.items():
            if type(name) is not str or not (type(entry) is str or _has_one_form(entry)):
                return False
        return True
    if isinstance(value, list | tuple):
        for entry in value:  # noqa: SIM110 - twice as fast as all()
            if not (type(entry) is str or _has_one_form(entry)):
                return False
        return True
    return type(value) in _ONE_FORM


_ONE_FORM = frozenset({str, int, bool, type(None)})


def json_string(text: str) -> str:
    """The string as JSON in ASCII, as ``json.dumps`` writes it."""
    if text.isascii() and "\x7f" not in text:
        return orjson.dumps(text).decode()
    return json.dumps(text)
