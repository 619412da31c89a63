"""Putting a thread together from the pages of its snapshot.

Every sight of an object counts: later states take the place of earlier ones, what differs without a reason is
a conflict and leaves a finding. Order is decided here, once, with findings where it had to be guessed.
Standard library and contracts only.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

from migration_app.archive.ids import MessageIds
from migration_app.archive.objects import SourceObject, expand
from migration_app.archive.ordering import Listing, direction_evidence, listings_merged
from migration_app.archive.reader import Reject, decode_document
from migration_app.archive.rows import Table, read_rows, row_message
from migration_app.archive.sequence import sequence_unpack
from migration_app.archive.versions import Verdict, merged
from migration_app.contracts import Finding, JsonObject, ListingOrder, Severity, SourceKind, SourceThread


@dataclasses.dataclass(frozen=True, slots=True)
class PageContent:
    """A stored page as the assembly needs it; ``payload`` is uncompressed.

    ``kind`` is one of SnapshotPage.Kind: archive, transcript, transcript_csv, live.
    """

    kind: str
    origin: str
    order: ListingOrder
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Sight:
    origin: int
    found: SourceObject


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
    thread_id: str, pages: Sequence[PageContent], files: Mapping[str, JsonObject]
) -> SourceThread:
    """The thread as its pages tell it: one object an id, oldest first, with findings for what was decided.

    ``pages`` stand in the order in which they were stored. ``files`` are file objects known in the console.
    """
    origins: dict[str, int] = {}
    orders: dict[int, ListingOrder] = {}
    trusted: set[int] = set()
    ids = MessageIds()
    sights: list[_Sight] = []
    for page in pages:
        origin = origins.setdefault(page.origin, len(origins))
        if page.order != "unknown":
            orders.setdefault(origin, page.order)
        if page.kind == "live":
            trusted.add(origin)
        sights += (_Sight(origin, found) for found in page_objects(thread_id, page, ids))

    latest, conflicts = _latest(sights)
    listed: dict[SourceKind, dict[int, dict[str, JsonObject]]] = {
        kind: {origin: {} for origin in range(len(origins))} for kind in ("message", "run", "step")
    }
    for sight in sights:
        if sight.found.kind in listed:
            value = latest[sight.found.kind, sight.found.id]
            listed[sight.found.kind][sight.origin].setdefault(sight.found.id, value)

    for origin, values in listed["message"].items():
        rising, falling = direction_evidence(values.values())
        if bool(rising) != bool(falling):
            orders[origin] = orders[origin] if origin in trusted else "asc" if rising else "desc"

    def listings(kind: SourceKind) -> list[Listing]:
        return [
            Listing(tuple(values.values()), orders.get(origin, "unknown"), origin in trusted)
            for origin, values in listed[kind].items()
        ]

    messages = listings_merged(listings("message"))
    runs = listings_merged(listings("run"))
    findings = [_conflict_finding(kind, object_id) for kind, object_id in conflicts]
    if messages.uncertain:
        findings.append(_order_finding(thread_id))
    elif messages.sorted_by_time:
        findings.append(_sorted_finding(thread_id))
    return SourceThread(
        thread_id=thread_id,
        thread=latest.get(("thread", thread_id)),
        messages=messages.objects,
        runs=runs.objects,
        steps=_steps_ordered(listings("step"), [run["id"] for run in runs.objects]),
        files=files,
        findings=tuple(findings),
    )


def _latest(
    sights: Sequence[_Sight],
) -> tuple[dict[tuple[SourceKind, str], JsonObject], list[tuple[SourceKind, str]]]:
    latest: dict[tuple[SourceKind, str], JsonObject] = {}
    conflicts: dict[tuple[SourceKind, str], None] = {}
    for sight in sights:
        key = (sight.found.kind, sight.found.id)
        known = latest.get(key)
        if known is None:
            latest[key] = sight.found.value
            continue
        latest[key], verdict = merged(sight.found.kind, known, sight.found.value)
        if verdict is Verdict.CONFLICT:
            conflicts[key] = None
    return latest, list(conflicts)


def _steps_ordered(listings: Sequence[Listing], run_ids: Sequence[str]) -> tuple[JsonObject, ...]:
    """Steps oldest first inside their run, the runs in theirs: each run's steps were listed by themselves."""
    by_run: dict[str, list[Listing]] = {run_id: [] for run_id in run_ids}
    for listing in listings:
        parts: dict[str, list[JsonObject]] = collections.defaultdict(list)
        for step in listing.objects:
            parts[str(step.get("run_id"))].append(step)
        for run_id, steps in parts.items():
            by_run.setdefault(run_id, []).append(dataclasses.replace(listing, objects=tuple(steps)))
    return tuple(step for parts in by_run.values() for step in listings_merged(parts).objects)


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
