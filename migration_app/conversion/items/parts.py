"""Content parts of messages: text, images, refusals, and whatever else an archive holds.

What a role may carry: user text, images and files; assistant text and refusals only ("Supported values
are: 'output_text' and 'refusal'"). An image under an assistant is named by a placeholder, or by an input_text
part, which only a developer message can hold: ``messages`` moves it there. Imports only ``contracts`` and this
package.
"""

from __future__ import annotations

from typing import Literal

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.annotations import convert_annotations, drop_annotations
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import (
    developer_image_text,
    image_text,
    placeholder,
    text_part,
)
from migration_app.conversion.text import (
    as_id,
    as_object,
    as_uri,
    clean_text,
    label,
    labels,
    shape_of,
    unknown_fields,
)

Role = Literal["user", "assistant"]

MAX_TEXT = 10_485_760
"""Characters of one string (official description, InputTextContentParam and FunctionCallOutputItemParam)."""

MAX_IMAGE_URL = 20_971_520
"""Characters of an image's address (official description, InputImageContentParamAutoParam)."""

_IMAGE_DETAILS = frozenset({"low", "high", "auto", "original"})
_PART_FIELDS = {
    "text": frozenset({"type", "text"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_file": frozenset({"type", "image_file"}),
    "image_url": frozenset({"type", "image_url"}),
    "input_text": frozenset({"type", "text"}),
    "output_text": frozenset({"type", "text", "annotations", "logprobs"}),
}
_PAYLOAD_FIELDS = {
    "text": frozenset({"value", "annotations"}),
    "refusal": frozenset[str](),
    "image_file": frozenset({"file_id", "detail"}),
    "image_url": frozenset({"url", "detail"}),
    "input_text": frozenset[str](),
    "output_text": frozenset[str](),
}


def convert_part(part: object, role: Role, context: Context, notes: Notes, place: str) -> JsonObject | None:
    """The target's content part, or None with a finding that says why there is none."""
    if isinstance(part, str):
        notes.add("content_string", place)
        return _text_part({"value": part}, role, context, notes, place)
    if not isinstance(part, dict):
        notes.add("part_unreadable", place, shape=shape_of(part))
        return None
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in _PART_FIELDS:
        notes.add("part_type_unknown", place, type=label(kind))
        return None
    unknown = unknown_fields(part, _PART_FIELDS[kind])
    unknown += unknown_fields(as_object(part.get(kind)), _PAYLOAD_FIELDS[kind])
    if unknown:
        notes.add("part_fields_unknown", place, names=labels(unknown))
    if kind == "text":
        return _text(part.get("text"), role, context, notes, f"{place}.text")
    if kind in {"input_text", "output_text"}:
        # What an application wrote down after it had begun to use the Responses API.
        notes.add("text_plain_string", place)
        text = {"value": part.get("text"), "annotations": part.get("annotations")}
        return _text_part(text, role, context, notes, place)
    if kind == "refusal":
        return _refusal(part.get("refusal"), role, notes, f"{place}.refusal")
    if role == "assistant":
        return _assistant_image(as_object(part.get(kind)), context, notes, f"{place}.{kind}")
    return _image(kind, as_object(part.get(kind)), notes, f"{place}.{kind}")


def is_empty_text(part: object) -> bool:
    """Whether the part holds nothing at all: empty text, or an empty refusal."""
    source = as_object(part)
    value: object = part
    if source.get("type") in ("text", "input_text", "output_text"):
        value = source.get("text")
        value = value.get("value") if isinstance(value, dict) else value
    elif source.get("type") == "refusal":
        value = source.get("refusal")
    return value is None or value == ""


def carry_text(value: object, kind: str, notes: Notes, place: str) -> str | None:
    """Text that the target can take, or None with a finding: empty, unreadable or too long."""
    if value is None or value == "":
        notes.add("text_empty", place, type=kind)
        return None
    if not isinstance(value, str):
        notes.add("text_unreadable", place, type=kind, shape=shape_of(value))
        return None
    if len(value) > MAX_TEXT:
        notes.add("text_too_long", place, length=len(value))
        return None
    cleaned = clean_text(value)
    if cleaned != value:
        notes.add("lone_surrogate", place)
    return cleaned


def _text(text: object, role: Role, context: Context, notes: Notes, place: str) -> JsonObject | None:
    if isinstance(text, dict):
        return _text_part(text, role, context, notes, place)
    if isinstance(text, str) and text:
        notes.add("text_plain_string", place)
    return _text_part({"value": text}, role, context, notes, place)


def _text_part(
    source: JsonObject, role: Role, context: Context, notes: Notes, place: str
) -> JsonObject | None:
    annotations = source.get("annotations")
    text = carry_text(source.get("value"), "text", notes, place)
    if text is None:
        drop_annotations(annotations, "annotation_without_text", notes, f"{place}.annotations")
        return None
    if role == "user":
        drop_annotations(annotations, "annotation_on_user", notes, f"{place}.annotations")
        return text_part(text, role)
    converted = convert_annotations(annotations, text, context.files, notes, f"{place}.annotations")
    return text_part(text, role) | {"annotations": converted}


def _refusal(value: object, role: Role, notes: Notes, place: str) -> JsonObject | None:
    text = carry_text(value, "refusal", notes, place)
    if text is None:
        return None
    if role == "assistant":
        return {"type": "refusal", "refusal": text}
    notes.add("refusal_as_text", place)
    return text_part(text, role)


def _assistant_image(payload: JsonObject, context: Context, notes: Notes, place: str) -> JsonObject | None:
    """A text that names the image, under the assistant or (input_text) for a developer message."""
    policy = context.policies.assistant_images
    file_id = as_id(payload.get("file_id"))
    address = payload.get("url")
    image = label(file_id) if file_id else "given by its address" if address else "of no known file"
    if policy == "block":
        notes.add("image_blocks", place, image=image)
        return None
    if policy == "developer_note":
        notes.add("image_in_developer_note", place, image=image)
        return text_part(placeholder(developer_image_text(file_id)), "developer")
    notes.add("image_on_assistant", place, image=image)
    return text_part(placeholder(image_text(file_id, context.filename(file_id), address)), "assistant")


def _image(kind: str, payload: JsonObject, notes: Notes, place: str) -> JsonObject | None:
    file_id = as_id(payload.get("file_id")) if kind == "image_file" else ""
    if kind == "image_file":
        if not file_id:
            notes.add("image_unreadable", place, type=kind, wanted="file id")
            return None
        return {"type": "input_image", "file_id": file_id, "detail": _detail(payload, notes, place)}
    url = as_uri(payload.get("url"))
    if url is None:
        notes.add("image_unreadable", place, type=kind, wanted="address")
        return None
    if len(url) > MAX_IMAGE_URL:
        notes.add("image_too_long", place, length=len(url))
        return None
    if url != payload.get("url"):
        notes.add("address_encoded", f"{place}.url")
    return {"type": "input_image", "image_url": url, "detail": _detail(payload, notes, place)}


def _detail(payload: JsonObject, notes: Notes, place: str) -> str:
    """The detail as the source had it; absent means auto, as the API's description says."""
    detail = payload.get("detail")
    if detail is None:
        return "auto"
    if isinstance(detail, str) and detail in _IMAGE_DETAILS:
        return detail
    notes.add("image_detail_unknown", f"{place}.detail", detail=label(detail))
    return "auto"
