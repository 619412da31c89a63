"""Types that the packages exchange.

No Django, no SDK, no database. API objects travel as plain decoded JSON
(``JsonObject``), never as SDK models: real objects differ from those models in dozens of ways.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_type_hints

from migration_app.json_codec import json_decode, json_encode

JsonObject = dict[str, Any]
"""A decoded JSON object, unchanged as a server or archive had it."""

SourceKind = Literal["thread", "message", "run", "step", "assistant", "file", "vector_store"]

LISTING_ORDERS = ("asc", "desc", "unknown")
ListingOrder = Literal["asc", "desc", "unknown"]
"""asc: oldest first; desc: newest first, the API's default; unknown: decided by the timestamps."""

MAX_ITEMS_PER_CALL = 20
"""Items that conversations.create and items.create take at most (official description, 2026-08-21)."""

_OWN_ID_PREFIXES = {"message": "msg", "code_interpreter_call": "ci", "file_search_call": "fs"}

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
"""Metadata limits of conversations, in characters (official description, schema Metadata)."""

MAX_JSON_DEPTH = 200
"""How deep a value may be nested: deeper objects are rejected on the way in, deeper values inside JSON text are cut.
A fixed number, so that the result never depends on the caller's stack."""


class Severity(enum.StrEnum):
    """Severity of a finding, mildest first."""

    NOTE = "note"  # arrives unchanged for the model; a fact about the source stays in the console only
    TRANSFORMED = "transformed"  # arrives in another shape, with the same content
    LOSSY = "lossy"  # some content does not arrive; the snapshot still holds it
    BLOCKING = "blocking"  # the thread must not be sent before a person has reviewed it


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


def fidelity_of(findings: Iterable[Finding]) -> Fidelity:
    """Grade of a result: that of its worst finding, exact when there is none."""
    worst = max((finding.severity for finding in findings), key=_RANKS.__getitem__, default=Severity.NOTE)
    return _GRADES[worst]


@dataclasses.dataclass(frozen=True, slots=True)
class SourceThread:
    """A thread as stored in its snapshots, in order, with nothing converted yet.

    ``thread`` is None when only its parts were archived. ``messages`` are oldest first, one per id.
    ``runs`` and ``steps`` are oldest first, each id in its latest known state. ``files`` maps file ids
    to file objects known in the console (citations need their file names). ``findings`` report decisions
    made while assembling it (conflicts, uncertain order). ``deleted`` and ``deleted_messages`` are what the
    source has deleted since: the thread itself, or ids of messages that are included here. All sequences are tuples,
    or for a large thread sequences in a file (``spill``), which are decoded at each access: iterate once, keep
    little.
    """

    thread_id: str
    thread: JsonObject | None
    messages: Sequence[JsonObject]
    runs: Sequence[JsonObject] = ()
    steps: Sequence[JsonObject] = ()
    files: Mapping[str, JsonObject] = dataclasses.field(default_factory=dict)
    findings: Sequence[Finding] = ()
    deleted: bool = False
    deleted_messages: frozenset[str] = frozenset()


POLICIES_VERSION = 2
"""Increased whenever a choice is added, removed, or changes its meaning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policies:
    """What an operator chooses for a batch: how content without a place at the target is treated.

    The first choice of each is the default; docs/conversion.md and ``conversion.policies`` say why. A *note* is
    an assistant message that the migration writes, recognized by its first line (``conversion.items.migrated``).
    ``block`` always means: leave a blocking finding, so that the thread is not sent.
    """

    assistant_images: Literal["placeholder", "developer_note", "block"] = "placeholder"
    """Images under the assistant: a text in their place that names them, or a developer message after it."""

    code_interpreter: Literal["note", "native", "drop_with_finding", "block"] = "note"
    """native: a code_interpreter_call where the source names the container, else a note."""

    file_search: Literal["note", "native", "drop_with_finding", "block"] = "note"
    """native: a file_search_call where the source holds the queries, else a note."""

    other_tool_calls: Literal["note", "drop_with_finding", "block"] = "note"
    """Calls of every other hosted tool: Assistants v1, Foundry, and unknown types."""

    orphan_tool_calls: Literal["note", "drop_with_finding", "block"] = "note"
    """Function calls that cannot be a pair: without an output, without a name, or only known from their run."""

    attachments: Literal["input_file", "note", "vector_store_only"] = "input_file"
    """Files attached to user messages: a file part, a text that names them, or nothing but a finding."""

    incomplete_messages: Literal["keep", "mark", "skip"] = "keep"
    """Messages cut short: as they are, with a last text that says so, or not at all."""

    deletions: Literal["leave_out", "carry"] = "leave_out"
    """What the source has deleted and an archive still holds: not sent, or sent as if it were there."""


@functools.cache
def policy_choices() -> dict[str, tuple[str, ...]]:
    """The choices of each policy, its default first."""
    hints = get_type_hints(Policies)
    return {field.name: get_args(hints[field.name]) for field in dataclasses.fields(Policies)}


def policies_from(mapping: Mapping[str, object]) -> Policies:
    """Policies from names and choices; what is not named has its default. Raises ValueError that lists valid values."""
    choices = policy_choices()
    for name, choice in mapping.items():
        if name not in choices:
            raise ValueError(f"There is no policy {name!r}; there are: {', '.join(choices)}.")
        if choice not in choices[name]:
            allowed = ", ".join(choices[name])
            raise ValueError(f"Policy {name} cannot be {choice!r}; it can be: {allowed}.")
    chosen: dict[str, Any] = dict(mapping)
    return Policies(**chosen)


def policies_as_dict(policies: Policies) -> dict[str, str]:
    """Every policy with its choice, in their order; ``policies_from`` reads it again."""
    return {name: getattr(policies, name) for name in policy_choices()}


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def compact_json(value: object) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which real archives hold, are read again as they were."""
    return json_encode(value, lambda value: _encoder.encode(value).encode(errors="surrogatepass"))


def compact_json_read(data: bytes) -> Any:
    """Undo ``compact_json``."""
    return json_decode(data, lambda data: json.loads(data.decode(errors="surrogatepass")))


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
    _body: bytes = dataclasses.field(default=b"", init=False, repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The item's compact JSON in UTF-8, as sent in a request; cached."""
        if not self._body:
            object.__setattr__(self, "_body", compact_json(self.item))
        return self._body


def planned_from_body(body: bytes, source_kind: SourceKind, source_id: str, group: int) -> PlannedItem:
    """A planned item from its ``body``, which is cached."""
    planned = PlannedItem(compact_json_read(body), source_kind, source_id, group)
    object.__setattr__(planned, "_body", body)
    return planned


def own_id_prefix(item: JsonObject) -> str:
    """The prefix of the id that an item is sent with; empty for an item that is sent without one.

    The description demands an id of these (OutputMessage, CodeInterpreterToolCall, FileSearchToolCall).
    """
    if item.get("type") == "message" and item.get("role") != "assistant":
        return ""
    return _OWN_ID_PREFIXES.get(item.get("type", ""), "")


@dataclasses.dataclass(frozen=True, slots=True)
class ThreadPlan:
    """What a thread becomes: conversation metadata, items in order, findings.

    Items and findings are tuples, or for a large thread sequences in a file, as in ``SourceThread``.
    """

    thread_id: str
    metadata: dict[str, str]
    items: Sequence[PlannedItem]
    findings: Sequence[Finding]

    @property
    def fidelity(self) -> Fidelity:
        """The grade of the worst finding."""
        return fidelity_of(self.findings)


@dataclasses.dataclass(frozen=True, slots=True)
class Replacement:
    """The target refused the item at ``position`` (from 0): send its fallback of that ``level`` (from 0) instead.

    Stored by the engine, so that a resumed thread has the same plan.
    """

    position: int
    level: int


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

    ``position`` counts items from 0. ``text`` describes it without message content; ``expected``
    and ``found`` are canonical forms (private content: show them only to users who may see it).
    """

    position: int
    text: str
    expected: JsonObject | None
    found: JsonObject | None


COMMAND_LINE = " (command line)"
"""What a name ends with that is the operating system's and no console user's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a console user by id and name, or a command or job on behalf of one."""

    name: str
    user_id: int | None = None
    job_id: str = ""

    def may_be(self, *, name: str, user_id: int | None) -> bool:
        """Whether this may be that person, where two different ones must act.

        Two console users are the same by their id, even after a rename. If one of them has none
        (the command line, a user who was deleted) an equal name counts as the same person, never
        as a second one.
        """
        if self.user_id is not None and user_id is not None:
            return self.user_id == user_id
        return self.name.removesuffix(COMMAND_LINE) == name.removesuffix(COMMAND_LINE)
