"""The first level of a line that is not readable JSON: cut off, or nested too deeply.

Standard library only.
"""

from __future__ import annotations

import json
import re

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|"', re.DOTALL)


def top_level_strings(raw: bytes) -> dict[str, str]:
    """The names and values of the strings on the first level of an object, as far as it can be read."""
    found: dict[str, str] = {}
    depth = 0
    name: bytes | None = None
    before = b""
    for token in _TOKENS.finditer(raw):
        mark = token.group()
        if mark in {b"{", b"["}:
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
        elif mark == b'"':
            break
        elif depth == 1 and mark not in {b":", b","}:
            if before != b":":
                name = mark
            elif name is not None:
                found |= _decoded(name, mark)
        before = mark
    return found


def _decoded(name: bytes, value: bytes) -> dict[str, str]:
    try:
        return {json.loads(name.decode()): json.loads(value.decode())}
    except ValueError:
        return {}
