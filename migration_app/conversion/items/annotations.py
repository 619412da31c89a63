"""Annotations of assistant text: citations of files and addresses, paths of files the tools made.

``index`` of a target annotation is the character at which its marker starts: "The index in the output
text at which to insert the file citation" (openai 3.54.0, AnnotationFileCitation), as the examples of the
official description show it. The marker itself stays in the text, so nothing the reader saw is lost.
Offsets count code points. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_object,
    as_uri,
    clean_text,
    label,
    labels,
    shape_of,
    unknown_fields,
)

_KNOWN = frozenset({"type", "text", "start_index", "end_index"})
_PAYLOAD_FIELDS = {
    "file_citation": frozenset({"file_id", "quote"}),
    "file_path": frozenset({"file_id"}),
    "url_citation": frozenset({"url", "title"}),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Where a marker stands: code points, end exclusive. ``how`` is exact, moved or lost."""

    start: int
    end: int
    how: str


def convert_annotations(
    annotations: object, text: str, files: Mapping[str, JsonObject], notes: Notes, place: str
) -> list[JsonObject]:
    """Target annotations of one assistant text, in the source's order."""
    if annotations is not None and not isinstance(annotations, list):
        notes.add("annotations_unreadable", place, shape=shape_of(annotations))
    converted = (
        _convert_annotation(annotation, text, files, notes, f"{place}[{index}]")
        for index, annotation in enumerate(as_list(annotations))
    )
    return [annotation for annotation in converted if annotation is not None]


def drop_annotations(annotations: object, code: str, notes: Notes, place: str) -> None:
    """A finding of the given code for each annotation that can't be carried."""
    if annotations is not None and not isinstance(annotations, list):
        notes.add("annotations_unreadable", place, shape=shape_of(annotations))
    for index, annotation in enumerate(as_list(annotations)):
        notes.add(code, f"{place}[{index}]", type=label(as_object(annotation).get("type")))


def locate(text: str, marker: str, start: object, end: object) -> Span:
    """Where the marker stands in the text: at the offsets, else at the place nearest to them.

    The offsets are tried as code points, then as UTF-16 units (what clients in other languages count),
    then the marker is searched. A missing marker gets the nearest place inside the text.
    """
    first = start if isinstance(start, int) and not isinstance(start, bool) else None
    last = end if isinstance(end, int) and not isinstance(end, bool) else None
    inside = first is not None and last is not None and 0 <= first <= last <= len(text)
    if first is not None and last is not None and inside and (not marker or text[first:last] == marker):
        return Span(first, last, "exact")
    found = _utf16_start(text, marker, first)
    if found is None:
        found = _nearest(text, marker, first or 0)
    if found is not None:
        return Span(found, found + len(marker), "moved")
    index = _inside(first, text)
    return Span(index, max(index, _inside(last, text)), "lost")


def _inside(index: int | None, text: str) -> int:
    return len(text) if index is None else min(max(index, 0), len(text))


def _utf16_start(text: str, marker: str, first: int | None) -> int | None:
    if first is None or first < 0 or not marker:
        return None
    units = text.encode("utf-16-le")
    start = len(units[: first * 2].decode("utf-16-le", errors="replace"))
    return start if text.startswith(marker, start) else None


def _nearest(text: str, marker: str, wanted: int) -> int | None:
    """The occurrence nearest to an offset, the earlier one of two."""
    if not marker:
        return None
    wanted = _inside(wanted, text)
    after = text.find(marker, wanted)
    before = text.rfind(marker, 0, wanted + len(marker) - 1)
    if before < 0 or after < 0:
        return None if before == after else max(before, after)
    return before if wanted - before <= after - wanted else after


def _convert_annotation(
    annotation: object, text: str, files: Mapping[str, JsonObject], notes: Notes, place: str
) -> JsonObject | None:
    if not isinstance(annotation, dict):
        notes.add("annotation_unreadable", place, type=shape_of(annotation), wanted="fields")
        return None
    kind = annotation.get("type")
    if not isinstance(kind, str) or kind not in _PAYLOAD_FIELDS:
        notes.add("annotation_type_unknown", place, type=label(kind))
        return None
    payload = as_object(annotation.get(kind))
    url = as_uri(payload.get("url"))
    file_id = as_id(payload.get("file_id"))
    if kind == "url_citation" and url is None:
        notes.add("annotation_unreadable", place, type=kind, wanted="address")
        return None
    if kind != "url_citation" and not file_id:
        notes.add("annotation_unreadable", place, type=kind, wanted="file id")
        return None
    unknown = unknown_fields(annotation, _KNOWN | {kind}) + unknown_fields(payload, _PAYLOAD_FIELDS[kind])
    if unknown:
        notes.add("part_fields_unknown", place, names=labels(unknown))
    span = _located(annotation, text, notes, place)
    if url is not None and kind == "url_citation":
        return _url_citation(payload, url, span, notes, place)
    if kind == "file_path":
        return {"type": "file_path", "file_id": file_id, "index": span.start}
    _note_quote(payload.get("quote"), notes, f"{place}.file_citation.quote")
    filename = _filename(file_id, files, notes, place)
    return {"type": "file_citation", "file_id": file_id, "filename": filename, "index": span.start}


def _located(annotation: JsonObject, text: str, notes: Notes, place: str) -> Span:
    marker = annotation.get("text")
    marker_text = clean_text(marker) if isinstance(marker, str) else ""
    span = locate(text, marker_text, annotation.get("start_index"), annotation.get("end_index"))
    if span.how == "moved":
        notes.add("annotation_moved", place, index=span.start)
    if span.how == "lost":
        notes.add("annotation_not_located", place, index=span.start)
    return span


def _filename(file_id: str, files: Mapping[str, JsonObject], notes: Notes, place: str) -> str:
    """The cited file's name, which the target requires and the source never gives."""
    filename = as_id(as_object(files.get(file_id)).get("filename"))
    if not filename:
        notes.add("citation_filename_unknown", place, file_id=label(file_id))
    return filename or file_id


def _note_quote(quote: object, notes: Notes, place: str) -> None:
    if quote:
        notes.add(
            "citation_quote_kept", place, length=len(quote) if isinstance(quote, str) else len(str(quote))
        )


def _url_citation(payload: JsonObject, url: str, span: Span, notes: Notes, place: str) -> JsonObject:
    if url != payload.get("url"):
        notes.add("address_encoded", f"{place}.url_citation.url")
    title = payload.get("title")
    if not isinstance(title, str) or not title:
        notes.add("citation_title_missing", place)
        title = url
    if clean_text(title) != title:
        notes.add("lone_surrogate", f"{place}.url_citation.title")
    return {
        "type": "url_citation",
        "url": url,
        "title": clean_text(title),
        "start_index": span.start,
        "end_index": span.end,
    }
