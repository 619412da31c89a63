"""Holding what a file says of a thread's transcript against what is known of it: grown, or another talk."""

from __future__ import annotations

import collections
import dataclasses

from migration_app.archive.expanded import Refused, SourceObject
from migration_app.archive.marks import Mark, MarkMaker
from migration_app.archive.order.talk import KnownTalk, Reading
from migration_app.archive.versions import KnownObjects
from migration_app.contracts import JsonObject
from migration_app.imports.joints import Name
from migration_app.models import SnapshotPage

K = SnapshotPage.Kind
TALKS = frozenset({K.TRANSCRIPT, K.TRANSCRIPT_CSV})
"""Kinds of pages whose messages are a talk in its order."""


@dataclasses.dataclass(slots=True)
class Talks:
    """What one import has read of transcripts: how far each thread's rows are, and the marks of what was rejected.

    ``rows``: how many rows each thread has had, rejected ones among them. ``ends_passed``: see ``Joints``.
    """

    marks: MarkMaker = dataclasses.field(default_factory=MarkMaker)
    rows: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    ends_passed: dict[tuple[str, str], Name] = dataclasses.field(default_factory=dict)
    readings: dict[str, Reading] = dataclasses.field(default_factory=lambda: collections.defaultdict(Reading))


def of_talk(kind: str, found: SourceObject) -> bool:
    """Whether an object of a page of this kind is a message identified by its place."""
    return found.kind == "message" and (kind in TALKS or found.is_counted)


def row_differs(talks: Talks, talk: KnownTalk, objects: KnownObjects, found: SourceObject) -> int | None:
    """The place of a row that makes its thread's rows a different transcript, None if it continues."""
    reading = talks.readings[found.thread_id]
    if talk.is_known_before(reading, found.id) and objects.would_contradict(
        found.kind, found.id, found.value
    ):
        reading.is_other = True
    return None if talk.continues(reading, found.id) else reading.passed


def talk_differs(talk: KnownTalk, objects: KnownObjects, said: list[SourceObject]) -> int | None:
    """The same of a whole transcript."""

    def contradicts(place: int) -> bool:
        found = said[place]
        return objects.would_contradict(found.kind, found.id, found.value)

    return talk.differs_at([found.id for found in said], contradicts)


def other_mark(talks: Talks, values: list[JsonObject], reason: str, thread_id: str, line_number: int) -> Mark:
    """The mark of messages that are not taken because they are of another talk."""
    refused = Refused(reason, thread_id=thread_id, kind="message", values=tuple(values), is_talk=True)
    return talks.marks.mark_of(refused, line_number)
