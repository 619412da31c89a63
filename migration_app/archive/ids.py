"""Ids: foreign opaque strings, validated; and stable ids for messages without one.

Standard library only.
"""

from __future__ import annotations

import collections
import hashlib
import json
import re
from typing import Any

from migration_app.archive.times import seconds_of

MAX_ID_LENGTH = 255
_UNSTORABLE = re.compile("[\\x00-\\x1f\\ud800-\\udfff]")


def id_fault(value: object) -> str:
    """Why ``value`` can't be an id, to be read behind "the id …"; empty if it can."""
    if value is None or value == "":
        return "is missing"
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not a string"
    if len(value) > MAX_ID_LENGTH:
        return f"is longer than {MAX_ID_LENGTH} characters"
    if not value.isprintable() and _UNSTORABLE.search(value):
        return "holds control characters or half of a surrogate pair"
    return ""


def storable_text(value: object, limit: int) -> str:
    """Text that PostgreSQL can store, cut to ``limit`` characters; empty if ``value`` is no string."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value[:limit]
    return value.replace("\0", "").encode(errors="replace").decode()[:limit]


class MessageIds:
    """Gives ids to messages that have none: the same message gets the same id at every import.

    The id comes from the thread, role, content and time, and counts repetitions of the very same message: an
    appended transcript keeps the ids it had.
    """

    def __init__(self) -> None:
        self._seen: collections.Counter[bytes] = collections.Counter()

    def derived(self, thread_id: str, role: object, content: Any, created_at: object) -> str:
        """The next message's id: ``msg_`` and 32 hexadecimal digits."""
        digest = message_digest(thread_id, role, content, created_at)
        self._seen[digest] += 1
        return "msg_" + hashlib.sha256(digest + b"%d" % self._seen[digest]).hexdigest()[:32]


def message_digest(thread_id: str, role: object, content: Any, created_at: object) -> bytes:
    """The identity of a message without an id."""
    time = seconds_of(created_at)
    said = json.dumps([thread_id, role, content, created_at if time is None else time], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=16).digest()
