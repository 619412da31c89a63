"""Shapes and results that the rooms hand to each other.

Standard library only: no Django, no SDK, no database. API objects travel as plain decoded JSON
(``JsonObject``), never as SDK models: real objects differ from those models in dozens of ways.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Literal

JsonObject = dict[str, Any]
"""A decoded JSON object, exactly as some server or archive gave it."""

SourceKind = Literal["thread", "message", "run", "step", "assistant", "file", "vector_store"]

LISTING_ORDERS = ("asc", "desc", "unknown")
ListingOrder = Literal["asc", "desc", "unknown"]
"""asc: oldest first; desc: newest first, the API's default; unknown: the timestamps must tell."""

MAX_ITEMS_PER_CALL = 20
"""Items that conversations.create and items.create take at most (official description, 2026-08-21)."""

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
"""Metadata limits of conversations, in characters (official description, schema Metadata)."""


class Severity(enum.StrEnum):
    """How much a finding weighs, mildest first."""

    NOTE = "note"  # arrives unchanged for the model; a fact about the source stays in the console only
    TRANSFORMED = "transformed"  # arrives in another shape, with the same content
    LOSSY = "lossy"  # some content does not arrive; the snapshot still holds it
    BLOCKING = "blocking"  # the thread must not be sent before a person has looked


class Fidelity(enum.StrEnum):
    """A thread's (or prompt's) grade: that of its worst finding."""

    EXACT = "exact"
    TRANSFORMED = "transformed"
    LOSSY = "lossy"
    BLOCKED = "blocked"


_GRADES = {
    Severity.NOTE: Fidelity.EXACT,
    Severity.TRANSFORMED: Fidelity.TRANSFORMED,
    Severity.LOSSY: Fidelity.LOSSY,
    Severity.BLOCKING: Fidelity.BLOCKED,
}
_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that conversion could not carry exactly as it was: what, where, why, how severe.

    ``code`` is a stable snake_case name, counted and filtered on. ``place`` is a path inside the
    source object such as ``content[2].text.annotations[0]``, empty for the whole object. ``text``
    and ``advice`` are plain language for an operator and hold no message content.
    """

    code: str
    severity: Severity
    source_kind: SourceKind
    source_id: str
    place: str
    text: str
    advice: str = ""


def fidelity_of(findings: tuple[Finding, ...]) -> Fidelity:
    """Grade of a result: that of its worst finding, exact when there is none."""
    worst = max((finding.severity for finding in findings), key=_RANKS.__getitem__, default=Severity.NOTE)
    return _GRADES[worst]


@dataclasses.dataclass(frozen=True, slots=True)
class SourceThread:
    """A thread as its snapshots tell it, put in order, with nothing converted yet.

    ``thread`` is None when only its parts were archived. ``messages`` stand oldest first, one per id.
    ``runs`` and ``steps`` stand oldest first, each id in its latest known state. ``files`` maps file ids
    to file objects known in the console (they give citations their file names). ``findings`` name what
    putting it together had to decide (conflicts, uncertain order).
    """

    thread_id: str
    thread: JsonObject | None
    messages: tuple[JsonObject, ...]
    runs: tuple[JsonObject, ...] = ()
    steps: tuple[JsonObject, ...] = ()
    files: Mapping[str, JsonObject] = dataclasses.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item to append, and where it comes from.

    ``item`` is the body as sent, without a client id: the sender adds one where the API demands it.
    Neighbouring items with the same ``group`` belong together (a call and its output) and are never
    split over two chunks.
    """

    item: JsonObject
    source_kind: SourceKind
    source_id: str
    group: int


@dataclasses.dataclass(frozen=True, slots=True)
class ThreadPlan:
    """What a thread becomes: conversation metadata, items in order, findings."""

    thread_id: str
    metadata: dict[str, str]
    items: tuple[PlannedItem, ...]
    findings: tuple[Finding, ...]

    @property
    def fidelity(self) -> Fidelity:
        """The grade of the worst finding."""
        return fidelity_of(self.findings)


@dataclasses.dataclass(frozen=True, slots=True)
class PromptPlan:
    """What an assistant becomes: keyword arguments for ``responses.create``, and findings."""

    assistant_id: str
    name: str
    spec: JsonObject
    findings: tuple[Finding, ...]

    @property
    def fidelity(self) -> Fidelity:
        """The grade of the worst finding."""
        return fidelity_of(self.findings)


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """The first place where a conversation is not what was planned.

    ``position`` counts items from 0. ``text`` says it in words without message content; ``expected``
    and ``found`` are canonical forms (private content: show them only to those who may see it).
    """

    position: int
    text: str
    expected: JsonObject | None
    found: JsonObject | None


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person by name, or a command or job on behalf of one."""

    name: str
    user_id: int | None = None
    job_id: str = ""
