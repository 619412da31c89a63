"""Metadata pairs from source to target: 16 pairs, keys of 64, values of 512 characters.

A pair that does not fit is left out whole: half a value is a wrong value. Imports only ``contracts`` and
this package.
"""

from __future__ import annotations

from migration_app.contracts import MAX_METADATA_KEY, MAX_METADATA_PAIRS, MAX_METADATA_VALUE
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.text import clean_text, copy_json, json_text, label, parse_json, shape_of

THREAD_ID_KEY = "thread_id"


def metadata_pairs(value: object) -> dict[str, object] | None:
    """The pairs of a metadata field, which may be null or JSON in a string; None when it is something else."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        value = parse_json(value)[1]
    return value if isinstance(value, dict) else None


def convert_metadata(value: object, notes: Notes) -> dict[str, str]:
    """The pairs that the target takes, in the source's order."""
    pairs = metadata_pairs(value)
    if pairs is None:
        notes.add("metadata_unreadable", "metadata", shape=shape_of(value))
        return {}
    carried: dict[str, str] = {}
    for number, (raw_key, raw_value) in enumerate(pairs.items(), start=1):
        key = clean_text(str(raw_key))
        place = f"metadata.{label(key)}"
        if raw_value is None:
            notes.add("metadata_value_missing", place, number=number, key=label(key))
            continue
        troubles: set[str] = set() if key == raw_key else {"lone_surrogate"}
        copied = copy_json(raw_value, troubles)
        text = copied if isinstance(copied, str) else json_text(copied)
        # A pair that is left out whole has one finding only.
        if len(carried) >= MAX_METADATA_PAIRS:
            notes.add("metadata_pair_over_limit", place, number=number, key=label(key))
        elif len(key) > MAX_METADATA_KEY or len(text) > MAX_METADATA_VALUE:
            notes.add(
                "metadata_pair_too_long",
                place,
                number=number,
                key=label(key),
                key_length=len(key),
                value_length=len(text),
            )
        else:
            notes.add_troubles(troubles, place)
            if not isinstance(copied, str):
                notes.add(
                    "metadata_value_as_text", place, number=number, key=label(key), shape=shape_of(raw_value)
                )
            carried[key] = text
    return carried


def add_thread_id(metadata: dict[str, str], thread_id: str, notes: Notes) -> dict[str, str]:
    """The metadata with the pair thread_id where there is room for it; the source's own pair wins."""
    if metadata.get(THREAD_ID_KEY) == thread_id:
        return metadata
    if THREAD_ID_KEY in metadata:
        reason = "the source has a pair of that name"
    elif len(metadata) >= MAX_METADATA_PAIRS:
        reason = "the source's own pairs fill the 16 places"
    elif len(thread_id) > MAX_METADATA_VALUE:
        reason = "the id is longer than 512 characters"
    else:
        return metadata | {THREAD_ID_KEY: thread_id}
    notes.add("thread_id_not_added", "metadata", reason=reason)
    return metadata
