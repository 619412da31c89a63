"""Reading an archive as a stream of documents: JSON Lines, arrays, pretty-printed objects, event streams.

Memory does not grow with the file: one line, or one element of an array, at a time, and that bounded: by its bytes,
and by the number of its values (decoded, ``{}`` takes twenty times the memory of its bytes). What
can't be read becomes a reject with its line number, its reason and the beginning of its bytes, and
reading continues after it. Knows neither Django nor the network.
"""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from migration_app.archive.files.elements import array_elements
from migration_app.archive.files.streams import (
    REJECT_BYTES,
    ByteReader,
    ByteSource,
    Watch,
    nobody_watches,
    too_long_reason,
)
from migration_app.archive.json_text import DECODER, document_read, json_read, stored_read
from migration_app.archive.siblings import opened
from migration_app.contracts import JsonObject

MAX_DOCUMENT_BYTES = 64 << 20
_BYTES_A_VALUE = 32
"""API objects have fewer values than one in so many bytes."""
_BLANK = b" \t\r\n\x1e\0"
_COMMENT = (b"//", b"#", b"/*", b"--")
_EVENT_NOISE = re.compile(rb"(?:event|id|retry):|data:\s*\[DONE\]")
_VALUES = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{,]', re.DOTALL)
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]|"', re.DOTALL)


class DocumentUnreadableError(ValueError):
    """These bytes are not a JSON document that could hold API objects; the text says why."""


class DocumentTooLargeError(DocumentUnreadableError):
    """Decoded, these bytes would take more memory than a document may."""


class Document(NamedTuple):
    """One JSON document: its first line, its bytes as in the file, and its decoded value."""

    line_number: int
    raw: bytes
    value: JsonObject


@dataclasses.dataclass(frozen=True, slots=True)
class Reject:
    """What could not be read: where, why, and (at most ``REJECT_BYTES`` of) the bytes.

    ``thread_id``: the thread named by a CSV row with too many cells, or with bytes that are not text.
    """

    line_number: int
    reason: str
    raw: bytes
    thread_id: str = ""


def decode_document(
    raw: bytes, *, max_bytes: int | None = None, read: Callable[[bytes], Any] = document_read
) -> JsonObject:
    """Decode one document. A JSON string that holds JSON is decoded too; an array counts as a list page.

    Raises DocumentUnreadableError; DocumentTooLargeError where it holds more values than ``max_bytes`` of API objects
    do.
    """
    _values_check(raw, max_bytes)
    try:
        value: Any = read(raw)
        if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
            _values_check(value.encode(errors="surrogatepass"), max_bytes)
            value = json_read(value)
    except UnicodeDecodeError as error:
        raise DocumentUnreadableError(f"Not valid UTF-8 at byte {error.start + 1} of the line.") from error
    except json.JSONDecodeError as error:
        raise DocumentUnreadableError(_explained(raw, error)) from error
    except RecursionError as error:
        raise DocumentUnreadableError("The JSON is nested too deeply.") from error
    except DocumentTooLargeError:
        raise
    except ValueError as error:
        raise DocumentUnreadableError(f"Not readable JSON: {error}.") from error
    if isinstance(value, list):
        value = {"object": "list", "data": value}
    if not isinstance(value, dict):
        raise DocumentUnreadableError(f"An API object is expected here, this is a JSON {_kind_name(value)}.")
    return opened(value)


def decode_stored(raw: bytes) -> JsonObject:
    """Decode a document that ``decode_document`` has accepted before. DocumentUnreadableError if it is damaged."""
    return decode_document(raw, read=stored_read)


def _values_check(raw: bytes, max_bytes: int | None) -> None:
    if max_bytes is None:
        return
    limit = max_bytes // _BYTES_A_VALUE
    if len(raw) <= limit:
        return
    # Counted without regard to strings first: that is fast, and enough for nearly all.
    if raw.count(b",") + raw.count(b"{") + raw.count(b"[") <= limit:
        return
    marks = (found for found in _VALUES.finditer(raw) if raw[found.start()] != ord('"'))
    if next(itertools.islice(marks, limit, None), None) is not None:
        raise DocumentTooLargeError(
            f"It holds more than {limit:,} values: write it as several documents, for instance one object a line."
        )


def read_documents(
    stream: ByteReader, *, max_document_bytes: int = MAX_DOCUMENT_BYTES, watch: Watch = nobody_watches
) -> Iterator[Document | Reject]:
    """Read every document of a file, in order, in constant memory.

    ``stream`` may be gzip-compressed and UTF-16. Raises ArchiveUnreadableError if the file as a whole is
    something else (a ZIP, a database).
    """
    source = ByteSource(stream, watch)
    while first := source.first_byte():
        if first == b"[":
            for element in array_elements(source, max_document_bytes):
                if element.fault:
                    yield Reject(element.line_number, element.fault, element.raw)
                else:
                    yield from _decoded(element.line_number, element.raw, max_document_bytes)
            _skip_comma(source)
        else:
            yield from _lines(source, max_document_bytes)
    for fault in source.faults:
        yield Reject(source.line_number, fault, b"")


def _skip_comma(source: ByteSource) -> None:
    if source.first_byte() == b",":
        source.put_back(source.chunk()[1:])


def _decoded(line_number: int, raw: bytes, limit: int) -> Iterator[Document | Reject]:
    try:
        yield Document(line_number, raw, decode_document(raw, max_bytes=limit))
    except DocumentUnreadableError as error:
        yield Reject(line_number, str(error), raw[:REJECT_BYTES])


def _lines(source: ByteSource, limit: int) -> Iterator[Document | Reject]:
    """Documents by line, until a line is an array, or begins one."""
    while True:
        number = source.line_number
        line, too_long = source.line(limit)
        if not line:
            return
        if too_long:
            yield Reject(number, too_long_reason("line", limit), line[:REJECT_BYTES])
            continue
        line = line.removeprefix(codecs.BOM_UTF8)  # where several files were concatenated
        raw = line.strip(_BLANK)
        if not raw or _EVENT_NOISE.match(raw):
            continue
        if raw == b"[" or (raw[:1] == b"[" and _open_brackets(raw) == 0):
            source.put_back(line)
            source.line_number = number
            return
        if raw.startswith(b"data:"):
            raw = raw[5:].strip(_BLANK)
        try:
            value = decode_document(raw, max_bytes=limit)
        except DocumentTooLargeError as error:
            yield Reject(number, str(error), raw[:REJECT_BYTES])
        except DocumentUnreadableError as error:
            if raw[:1] == b"{" and _open_brackets(raw) > 0:
                yield from _over_lines(source, number, line, limit)
            else:
                yield from _several(number, raw, str(error))
        else:
            yield Document(number, raw, value)


def _over_lines(source: ByteSource, number: int, line: bytes, limit: int) -> Iterator[Document | Reject]:
    """One object printed over several lines.

    It ends where its brackets close. A line that is a complete object by itself, from its first column on, ends
    it too: then the object was cut off, and the following lines must not be lost with it.
    """
    parts, size = [line], len(line)
    depth = _open_brackets(line)
    while depth > 0:
        at = source.line_number
        following, too_long = source.line(limit)
        following = following.removeprefix(codecs.BOM_UTF8)
        if not following or too_long or size + len(following) > limit:
            reason = (
                too_long_reason("object", limit)
                if following
                else "The object is not closed: the file was cut off here."
            )
            yield Reject(number, reason, b"".join(parts)[:REJECT_BYTES])
            return
        if following[:1] == b"{" and following.rstrip()[-1:] == b"}":
            try:
                whole = decode_document(following.strip(_BLANK), max_bytes=limit)
            except DocumentUnreadableError:
                pass
            else:
                reason = f"The object is not closed: another one begins in line {at}."
                yield Reject(number, reason, b"".join(parts)[:REJECT_BYTES])
                yield Document(at, following.strip(_BLANK), whole)
                return
        parts.append(following)
        size += len(following)
        depth += _open_brackets(following)
    yield from _decoded(number, b"".join(parts).strip(_BLANK).rstrip(b",").rstrip(_BLANK), limit)


def _several(number: int, raw: bytes, reason: str) -> Iterator[Document | Reject]:
    """Several objects in one line; or a line that ends with a comma."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        yield Reject(number, reason, raw[:REJECT_BYTES])
        return
    at = 0
    while at < len(text):
        try:
            value, end = DECODER.raw_decode(text, at)
        except RecursionError:
            break
        except ValueError as error:
            if not isinstance(error, json.JSONDecodeError):
                reason = f"Not readable JSON: {error}."
            break
        if not isinstance(value, dict):
            break
        yield Document(number, text[at:end].encode(), value)
        at = end
        while at < len(text) and text[at] in " \t\r\n,\x1e\ufeff":
            at += 1
    if at < len(text):
        if at > 0:
            reason = f"The line continues after its JSON: {reason}"
        yield Reject(number, reason, text[at:].encode()[:REJECT_BYTES])


def _open_brackets(line: bytes) -> int:
    """Brackets opened minus closed; far below zero if the line ends inside a string (then it is cut off)."""
    depth = 0
    for found in _TOKENS.finditer(line):
        mark = found.group()
        if mark in {b"[", b"{"}:
            depth += 1
        elif mark in {b"]", b"}"}:
            depth -= 1
        elif mark == b'"':
            return -1_000_000
    return depth


def _explained(raw: bytes, error: json.JSONDecodeError) -> str:
    if raw.startswith(_COMMENT):
        return "A comment, not JSON: remove the comment mark to import the line."
    if raw[:2] in {b"{'", b"['"}:
        return "A Python print-out (single quotes), not JSON: write it with json.dumps."
    if raw[:1].isalpha() and b"(" in raw[:80] and raw[:4] not in {b"true", b"null"}:
        return "A printed Python object, not JSON: write it with model_dump_json() or json.dumps."
    return f"Not JSON: {error.msg} at character {error.pos + 1}."


def _kind_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"
