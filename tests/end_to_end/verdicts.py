"""What a black-box run is judged by: the target's own state, held against the messages that were put in.

Looks at nothing of the console but what it says of its threads, and compares with none of its code.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from migration_app.models import Conversation, Thread
from tests.sandbox import Control, ControlError

TextsOf = Callable[[str], list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of threads. The first four are of those that are verified: each is a broken promise.

    ``doubled``: words stand twice; ``short``: some are missing; ``other``: neither, but not as planned; ``shared``:
    another thread has the same conversation. ``verified``: without a person; ``elsewhere``: how many are how else.
    """

    doubled: int
    short: int
    other: int
    shared: int
    verified: int
    threads: int
    elsewhere: Mapping[str, int]

    @property
    def false(self) -> int:
        """How many threads are verified and are not what they should be."""
        return self.doubled + self.short + self.other + self.shared

    @property
    def share(self) -> float:
        """The share verified without a person."""
        return self.verified / self.threads

    def text(self) -> str:
        """In a line."""
        elsewhere = ", ".join(f"{what} {count}" for what, count in sorted(self.elsewhere.items()))
        return (
            f"{self.verified} of {self.threads} verified; of these doubled {self.doubled}, short {self.short}, "
            f"other {self.other}, shared {self.shared}; else: {elsewhere or 'none'}"
        )


def judged(threads: Sequence[Thread], planned: Mapping[str, list[str]], texts_of: TextsOf) -> Verdict:
    """Judge these threads. ``planned``: the texts by thread id, in order; ``texts_of``: those of a conversation."""
    counts: collections.Counter[str] = collections.Counter()
    elsewhere: collections.Counter[str] = collections.Counter()
    names: collections.Counter[str] = collections.Counter()
    for thread in Thread.objects.filter(pk__in=[thread.pk for thread in threads]):
        if thread.status != Thread.Status.VERIFIED:
            elsewhere[f"{thread.status}/{thread.error_code or '-'}"] += 1
            continue
        counts["verified"] += 1
        name = Conversation.objects.get(thread=thread).conversation_id
        names[name] += 1
        counts[_finding(planned[thread.thread_id], texts_of(name))] += 1
    shared = sum(count for count in names.values() if count > 1)
    return Verdict(
        doubled=counts["doubled"],
        short=counts["short"],
        other=counts["other"],
        shared=shared,
        verified=counts["verified"],
        threads=len(threads),
        elsewhere=dict(elsewhere),
    )


def texts_in(control: Control) -> TextsOf:
    """The texts of a sandbox's conversations: what it stores, whatever it shows; none where there is none."""

    def texts(name: str) -> list[str]:
        try:
            stored = control.conversation(name)
        except ControlError:
            return []
        return [] if stored.deleted else [text_of(item) for item in stored.items]

    return texts


def text_of(item: Mapping[str, Any]) -> str:
    """The text of a message."""
    return "".join(part["text"] for part in item["content"])


def _finding(planned: list[str], stored: list[str]) -> str:
    """What is wrong with a conversation; empty if nothing is."""
    if stored == planned:
        return ""
    if set(planned) - set(stored):
        return "short"
    return "doubled" if max(collections.Counter(stored).values()) > 1 else "other"
