"""Putting a thread together from the pages of its snapshot.

Every sight of an object counts: later states take the place of earlier ones, what differs without a reason is
a conflict and leaves a finding. Order is decided here, once, with findings where it had to be guessed.
Standard library and contracts only.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO

from migration_app.archive.ids import MessageIds
from migration_app.archive.objects import SourceObject, expand
from migration_app.archive.ordering import Listed, Listing, listings_merged, times_evidence
from migration_app.archive.reader import Reject, decode_document
from migration_app.archive.rows import Table, read_rows, row_message
from migration_app.archive.sequence import sequence_unpack
from migration_app.archive.times import seconds_of
from migration_app.archive.versions import Verdict, merged
from migration_app.contracts import Finding, JsonObject, ListingOrder, Severity, SourceKind, SourceThread
from migration_app.spill import FINDING_BYTES, FINDINGS, JSON, Gathering

_LISTED: tuple[SourceKind, ...] = ("message", "run", "step")


@dataclasses.dataclass(frozen=True, slots=True)
class PageContent:
    """A stored page as the assembly needs it; ``payload`` is uncompressed.

    ``kind`` is one of SnapshotPage.Kind: archive, transcript, transcript_csv, live.
    """

    kind: str
    origin: str
    order: ListingOrder
    payload: bytes


def page_objects(thread_id: str, page: PageContent, ids: MessageIds) -> Iterator[SourceObject]:
    """The objects of this thread in a page, in their order.

    ``ids`` counts CSV rows without ids over all pages of the thread: use one for all.
    """
    if page.kind == "transcript_csv":
        for row in read_rows(BytesIO(page.payload)):
            if isinstance(row, Table | Reject):
                continue
            taken = row_message(row.cells, ids)
            if not isinstance(taken, str):
                thread, message = taken
                yield SourceObject(
                    "thread", thread_id, thread_id, thread, row.cells.get("user_ref", "").strip()
                )
                yield SourceObject("message", message["id"], thread_id, message)
        return
    for raw in sequence_unpack(page.payload):
        for found in expand(decode_document(raw), thread_id=thread_id):
            if isinstance(found, SourceObject) and found.thread_id == thread_id:
                yield found


def assemble_thread(
    thread_id: str, pages: Iterable[PageContent], files: Mapping[str, JsonObject]
) -> SourceThread:
    """The thread as its pages tell it: one object an id, oldest first, with findings for what was decided.

    ``pages`` come in the order in which they were stored, and are let go one by one: what they hold goes to a file
    once it is much (``spill``). ``files`` are file objects known in the console.
    """
    sights = _Sights()
    ids = MessageIds()
    for page in pages:
        sights.turn_to(page)
        for found in page_objects(thread_id, page, ids):
            sights.see(found)
    messages = listings_merged(sights.listings("message"))
    runs = listings_merged(sights.listings("run"))
    steps = _steps_ordered(sights.listings("step"), [run.id for run in runs.objects])
    findings = Gathering(FINDINGS, spill=sights.values.is_spilled)
    for kind, object_id in sights.conflicts:
        findings.append(_conflict_finding(kind, object_id), FINDING_BYTES)
    if messages.uncertain:
        findings.append(_order_finding(thread_id))
    elif messages.sorted_by_time:
        findings.append(_sorted_finding(thread_id))
    return SourceThread(
        thread_id=thread_id,
        thread=sights.thread,
        messages=sights.sequence(messages.objects),
        runs=sights.sequence(runs.objects),
        steps=sights.sequence(steps),
        files=files,
        findings=findings.sequence(),
    )


class _Sights:
    """What the pages show: the latest state of each object kept, and of the rest only what the order needs."""

    def __init__(self) -> None:
        self.values: Gathering[JsonObject] = Gathering(JSON)
        self.thread: JsonObject | None = None
        self.conflicts: dict[tuple[SourceKind, str], None] = {}
        self._known: dict[SourceKind, dict[str, Listed]] = {kind: {} for kind in _LISTED}
        self._origins: dict[str, int] = {}
        self._orders: dict[int, ListingOrder] = {}
        self._trusted: set[int] = set()
        # For each origin, the ids that it lists, in its order.
        self._listed: dict[SourceKind, list[dict[str, None]]] = {kind: [] for kind in _LISTED}
        self._origin = 0

    def turn_to(self, page: PageContent) -> None:
        """What comes next stands in this page."""
        self._origin = origin = self._origins.setdefault(page.origin, len(self._origins))
        if page.order != "unknown":
            self._orders.setdefault(origin, page.order)
        if page.kind == "live":
            self._trusted.add(origin)
        for listed in self._listed.values():
            if origin == len(listed):
                listed.append({})
        self.values.grow(len(page.payload))

    def see(self, found: SourceObject) -> None:
        """Take in one sight of an object."""
        if found.kind == "thread":
            if self.thread is None:
                self.thread = found.value
            else:
                self.thread, verdict = merged("thread", self.thread, found.value)
                self._note(verdict, found)
        elif found.kind in _LISTED:
            known = self._known[found.kind]
            before = known.get(found.id)
            if before is None:
                known[found.id] = self._kept(found.kind, found.value)
            else:
                value = self.values[before.number]
                latest, verdict = merged(found.kind, value, found.value)
                self._note(verdict, found)
                if latest is not value:
                    known[found.id] = self._kept(found.kind, latest)
            self._listed[found.kind][self._origin].setdefault(found.id)

    def listings(self, kind: SourceKind) -> list[Listing]:
        """What each origin lists of a kind, every object in its latest state."""
        known = self._known[kind]
        listings: list[Listing] = []
        for origin, ids in enumerate(self._listed[kind]):
            objects = [known[object_id] for object_id in ids]
            if kind == "message" and origin not in self._trusted:
                # The other lists of an origin go in the direction that its messages show.
                rising, falling = times_evidence(found.time for found in objects)
                if bool(rising) != bool(falling):
                    self._orders[origin] = "asc" if rising else "desc"
            listings.append(Listing(objects, self._orders.get(origin, "unknown"), origin in self._trusted))
        return listings

    def sequence(self, objects: Sequence[Listed]) -> Sequence[JsonObject]:
        """The objects themselves, in this order."""
        return self.values.sequence(found.number for found in objects)

    def _kept(self, kind: SourceKind, value: JsonObject) -> Listed:
        run_id = str(value.get("run_id")) if kind == "step" else ""
        return Listed(value["id"], seconds_of(value.get("created_at")), self.values.append(value), run_id)

    def _note(self, verdict: Verdict, found: SourceObject) -> None:
        if verdict is Verdict.CONFLICT:
            self.conflicts[found.kind, found.id] = None


def _steps_ordered(listings: Sequence[Listing], run_ids: Sequence[str]) -> list[Listed]:
    """Steps oldest first inside their run, the runs in theirs: each run's steps were listed by themselves."""
    by_run: dict[str, list[Listing]] = {run_id: [] for run_id in run_ids}
    for listing in listings:
        parts: dict[str, list[Listed]] = collections.defaultdict(list)
        for step in listing.objects:
            parts[step.run_id].append(step)
        for run_id, steps in parts.items():
            by_run.setdefault(run_id, []).append(dataclasses.replace(listing, objects=steps))
    return [step for parts in by_run.values() for step in listings_merged(parts).objects]


def _conflict_finding(kind: SourceKind, object_id: str) -> Finding:
    return Finding(
        code="object_conflict",
        severity=Severity.LOSSY,
        source_kind=kind,
        source_id=object_id,
        place="",
        text=f"This {kind} was imported with different contents under one id; the first one is used.",
        advice="Compare the versions in the snapshot and decide which one is right.",
    )


def _order_finding(thread_id: str) -> Finding:
    return Finding(
        code="message_order_uncertain",
        severity=Severity.TRANSFORMED,
        source_kind="thread",
        source_id=thread_id,
        place="messages",
        text="Messages share a timestamp, or have none, and the archive does not tell which came first.",
        advice="Look at their order; where it matters, import the thread again from a list in the API's order.",
    )


def _sorted_finding(thread_id: str) -> Finding:
    return Finding(
        code="message_order_by_time",
        severity=Severity.NOTE,
        source_kind="thread",
        source_id=thread_id,
        place="messages",
        text="The archive holds the messages in no order; their timestamps differ and gave it.",
    )
