"""The known transcript of a thread, to compare another one with it: a continuation, or a different transcript.

Standard library only.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable


@dataclasses.dataclass(slots=True)
class Reading:
    """How far one file, or one line of it, has repeated the known transcript: messages repeated, and gaps filled.

    ``known``: the number of messages known when it began; later ones are from the file itself.
    """

    known: int | None = None
    passed: int = 0
    filled: set[str] = dataclasses.field(default_factory=set)
    is_other: bool = False


class KnownTalk:
    """The messages of a thread's transcripts, in their order. ``gaps``: how many were rejected between them."""

    def __init__(self) -> None:
        self.gaps = 0
        self._ids: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, message_id: str) -> None:
        """Add a message that is stored, or about to be."""
        if message_id not in self._places:
            self._places[message_id] = len(self._ids)
            self._ids.append(message_id)

    def is_known_before(self, reading: Reading, message_id: str) -> bool:
        """Whether a message was known before the reading began."""
        if reading.known is None:
            reading.known = len(self)
        return self._places.get(message_id, reading.known) < reading.known

    def repeated(self, message_ids: Iterable[str]) -> int:
        """How many messages at the beginning are known."""
        both = zip(message_ids, self._ids, strict=False)
        return sum(1 for _pair in itertools.takewhile(lambda pair: pair[0] == pair[1], both))

    def continues(self, reading: Reading, message_id: str) -> bool:
        """Whether a message may follow: known in this place, new after all, or in a gap.

        After a refused message no other may follow: the transcript differs.
        """
        if reading.is_other:
            return False
        if message_id in reading.filled or self._places.get(message_id, len(self)) < reading.passed:
            return True
        while reading.passed < len(self) and self._ids[reading.passed] in reading.filled:
            reading.passed += 1
        if reading.passed == len(self):
            self.add(message_id)
            reading.passed += 1
        elif self._ids[reading.passed] == message_id:
            reading.passed += 1
        elif len(reading.filled) < self.gaps:
            reading.filled.add(message_id)
            self.add(message_id)
        else:
            reading.is_other = True
        return not reading.is_other

    def differs_at(self, message_ids: Iterable[str], contradicts: Callable[[int], bool]) -> int | None:
        """The place of the first different message in a whole transcript; None if there is none.

        ``contradicts``: whether the message in a place differs from the known one of its id. An equal transcript
        is added; of a different one nothing is.
        """
        reading, known = Reading(), len(self)
        for place, message_id in enumerate(message_ids):
            if contradicts(place) or not self.continues(reading, message_id):
                for added in self._ids[known:]:
                    del self._places[added]
                del self._ids[known:]
                return place
        return None


def other_talk(thread_id: str, known: int, place: int) -> str:
    """The reason for rejecting a transcript that does not continue the known one; ``place`` counts from 0."""
    return (
        f"Thread {thread_id} is known with {known:,} message{'' if known == 1 else 's'}, and this transcript does not "
        f"repeat and continue them: it differs from message {place + 1:,} on. Nothing of it is mixed into the known "
        "one: find out which is right, and import one that repeats and continues the known messages."
    )
