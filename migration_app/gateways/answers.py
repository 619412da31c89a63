"""An answer's body, as bytes within limits and as unambiguous JSON.

A server may be faulty or hostile: an endless body, a compressed one that expands to gigabytes, JSON that
readers interpret differently. Must not import Django, models or services.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, NoReturn

import aiohttp

from migration_app.contracts import JsonObject
from migration_app.gateways.errors import GatewayError, answer_too_large, request_id_of, unreadable_answer
from migration_app.json_codec import json_decode

ENCODINGS_ASKED = "gzip"
"""Not the transport's default: other encodings can't be decompressed up to a limit."""
_UNFOLDED = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN = frozenset({"", "identity"})
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32

DEFAULT_MAX_BYTES = 64 << 20


async def answer_body(response: aiohttp.ClientResponse, *, max_bytes: int) -> bytes:
    """Read the body of a streamed response, uncompressed. Raises GatewayError if it is too large or can't be read.

    Raises what the transport raises when the connection breaks, and EOFError if a compressed body is incomplete.
    """
    encoding = ",".join(response.headers.getall("Content-Encoding", ())).strip().lower()
    if encoding in _PLAIN:
        if _told_length(response) > max_bytes:
            raise _too_large(response, max_bytes)
        return await _plain(response, max_bytes)
    if encoding not in _UNFOLDED:
        raise unreadable_answer("compressed in a way that was not requested", request_id_of(response.headers))
    return await _unfolded(response, max_bytes)


def decoded(body: bytes, *, request_id: str) -> JsonObject:
    """Decode a body that must be a JSON object. Raises GatewayError ``unreadable_answer``."""
    try:
        value = json_decode(body, _decoded_strictly)
    except RecursionError:
        raise unreadable_answer("nested too deeply", request_id) from None
    except _AmbiguousError:
        raise unreadable_answer("one name twice in one object", request_id) from None
    except ValueError:
        raise unreadable_answer("not JSON", request_id) from None
    if not isinstance(value, dict):
        raise unreadable_answer("not a JSON object", request_id)
    return value


def _decoded_strictly(body: bytes) -> Any:
    return _decoder.decode(body.decode(json.detect_encoding(body), "surrogatepass"))


async def _plain(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > max_bytes:
            raise _too_large(response, max_bytes)
        parts.append(part)
    return b"".join(parts)


async def _unfolded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    parts, size = [], 0
    unfolding = None
    async for folded in response.content.iter_any():
        rest = folded
        while rest:
            if (
                unfolding is None or unfolding.eof
            ):  # gzip may come as several, one after the other (RFC 1952 2.2)
                unfolding = zlib.decompressobj(_ZLIB_OR_GZIP)
            part = unfolding.decompress(rest, max_bytes + 1 - size)
            size += len(part)
            if size > max_bytes:
                raise _too_large(response, max_bytes)
            parts.append(part)
            rest = unfolding.unused_data
    if unfolding is not None and not unfolding.eof:
        raise EOFError
    return b"".join(parts)


def _too_large(response: aiohttp.ClientResponse, max_bytes: int) -> GatewayError:
    return answer_too_large(max_bytes, request_id_of(response.headers))


def _told_length(response: aiohttp.ClientResponse) -> int:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


class _AmbiguousError(ValueError):
    """A name occurs twice in one object: readers differ on which of the two counts."""


def _once(pairs: Sequence[tuple[str, Any]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _AmbiguousError
    return value


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_json)
