"""A thread's transcript beside its API messages: equal messages count once, a different transcript is not mixed in.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from migration_app.archive.expanded import SourceObject
from migration_app.archive.list_pages import ListPage
from migration_app.archive.order.listed import Listed
from migration_app.archive.order.ordering import Ordered
from migration_app.archive.versions import pruned
from migration_app.contracts import Finding, JsonObject, Severity

Words = Callable[[Listed], bytes]


class Tellers:
    """Which messages of a thread come from a transcript, and which from the API. Numbers only."""

    def __init__(self) -> None:
        self._rows: set[int] = set()
        self._counted: dict[int, ListPage | None] = {}
        self._archived = bytearray()  # by number: whether the API has it
        self._named: dict[int, ListPage] = {}  # lists that hold messages with ids, by identity

    def see(self, found: SourceObject, number: int, *, is_transcript: bool) -> None:
        """Add one occurrence of a message."""
        if number >= len(self._archived):
            self._archived.extend(bytes(number + 64))
        if is_transcript:
            self._rows.add(number)
        elif found.is_counted:
            self._counted[number] = found.page
        else:
            self._archived[number] = True
            if found.page is not None:
                self._named[id(found.page)] = found.page

    def only_told(self) -> set[int]:
        """The messages that only a transcript has, if API messages are known too; else none.

        A message without an id may also be in a list of others with ids: that is one list, and no transcript.
        A transcript with the API's message ids is matched by these.
        """
        talk = self._rows | {
            number for number, page in self._counted.items() if page is None or id(page) not in self._named
        }
        is_archived = any(self._archived) or bool(self._counted.keys() - talk)
        return set() if not is_archived or any(self._archived[number] for number in talk) else talk


@dataclasses.dataclass(frozen=True, slots=True)
class Covered:
    """What API messages cover of a transcript: by the id of its message, that of the API's.

    ``behind``: what continues the API's messages, by its id, after all of these regardless of the transcript's
    times. ``differs_at``: the place of the first different message; then the transcript is not used.
    """

    same: Mapping[str, Listed] = dataclasses.field(default_factory=dict)
    behind: Mapping[str, Listed] = dataclasses.field(default_factory=dict)
    differs_at: int | None = None


def covered(talk: Sequence[Listed], archived: Ordered, text: Words) -> Covered:
    """Compare a transcript with the API's messages, each in its order, from the first message on.

    Where the order of messages of one second was a guess, the transcript's order is used.
    """
    same: dict[str, Listed] = {}
    told = iter(talk)
    for level in _levels(archived):
        waiting = [(text(found), found) for found in level]
        for message in itertools.islice(told, len(level)):
            said = text(message)
            at = next((at for at, (known, _found) in enumerate(waiting) if known == said), None)
            if at is None:
                return Covered(differs_at=len(same))
            same[message.id] = waiting.pop(at)[1]
    return Covered(
        same, dict(_behind(told, max((found.time or 0.0 for found in archived.objects), default=0.0)))
    )


def _behind(told: Iterator[Listed], latest: float) -> Iterator[tuple[str, Listed]]:
    for message in told:
        latest = max(message.time or 0.0, latest + 1.0)
        yield message.id, message._replace(time=latest)


def _levels(archived: Ordered) -> Iterator[list[Listed]]:
    if not archived.uncertain:
        yield from ([found] for found in archived.objects)
        return
    for _time, group in itertools.groupby(archived.objects, lambda found: found.time):
        yield list(group)


def text_of(message: JsonObject) -> bytes:
    """A digest of a message: the role, the texts, and the other content."""
    content = message.get("content")
    parts = [content] if isinstance(content, str | dict) else content if isinstance(content, list) else []
    said = [str(message.get("role")), *filter(None, map(_part, parts))]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).digest()


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return str(part).strip()
    text = part.get("text")
    if isinstance(text, dict):
        text = text.get("value")
    if isinstance(text, str):
        return text.strip()
    return json.dumps(pruned(part), sort_keys=True)


def transcript_contradicts(thread_id: str, messages: int, place: int) -> Finding:
    """The finding for a transcript that differs from the API's messages; ``place`` counts from 0."""
    return Finding(
        code="transcript_contradicts",
        severity=Severity.LOSSY,
        source_kind="thread",
        source_id=thread_id,
        place="messages",
        text=f"A transcript of this thread ({messages:,} message{'' if messages == 1 else 's'}) does not repeat the "
        f"thread's API messages and continue them: it differs from message {place + 1:,} on. The API messages are "
        "used; nothing of the transcript is mixed into them.",
        advice="Compare the two in the snapshot, and import what is missing as API messages or as a transcript that "
        "repeats the API messages from the first one on.",
    )
