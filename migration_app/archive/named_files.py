"""Files that a thread names. Imports only ``contracts`` and this package."""

from __future__ import annotations

import itertools
from typing import Any

from migration_app.contracts import SourceThread

FILES, VECTOR_STORES = b"file_id", b"vector_store_ids"
"""Parts of the names of all fields that hold file ids, and of those that hold vector store ids."""

# Their letters, written as escapes.
_ESCAPED_LETTERS = (b"\\u005", b"\\u006", b"\\u007")


def may_name(payload: bytes, *fields: bytes) -> bool:
    """Whether a page may hold one of these fields: a quick test without false negatives."""
    # JSON may have an ASCII name as it is, or with \\u00.. in it.
    if b"\\u00" in payload:
        fields = (*fields, *_ESCAPED_LETTERS)
    return any(field in payload for field in fields)


def file_ids(source: SourceThread) -> set[str]:
    """Ids of files that a thread's messages and steps name."""
    found: set[str] = set()
    for whole in itertools.chain(source.messages, source.steps):
        waiting: list[Any] = [whole]
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
            elif isinstance(value, dict):
                for name, part in value.items():
                    if name == "file_id" and isinstance(part, str):
                        found.add(part)
                    elif name == "file_ids" and isinstance(part, list):
                        found.update(element for element in part if isinstance(element, str))
                    elif isinstance(part, dict | list):
                        waiting.append(part)
    # PostgreSQL can't compare with text that holds a NUL or half of a surrogate pair, and no such id is stored.
    return {file_id for file_id in found if file_id.isprintable()}
