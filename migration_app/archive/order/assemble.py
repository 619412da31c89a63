"""Assembling a thread from the pages of its snapshot.

Every occurrence of an object counts: later states replace earlier ones, other differences are
a conflict and leave a finding. Order is decided here, once, with findings where it had to be guessed.
Standard library and contracts only.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO

from migration_app.archive.expanded import Deletion, EmptyPage, LastPage, Refused, SourceObject
from migration_app.archive.files.reader import Reject, decode_stored
from migration_app.archive.files.rows import Table, read_rows, row_message
from migration_app.archive.ids import MessageIds
from migration_app.archive.marks import Filled, Mark, MarkMaker, OpenMarks, mark_read
from migration_app.archive.objects import expand, is_last_page
from migration_app.archive.order.clues import listed, message_clues, step_clues
from migration_app.archive.order.covering import (
    Tellers,
    covered,
    text_of,
    transcript_contradicts,
)
from migration_app.archive.order.findings import (
    conflict_finding,
    open_finding,
    order_finding,
    sorted_finding,
    step_order_finding,
)
from migration_app.archive.order.known import KnownListed
from migration_app.archive.order.listed import Clues, Listed
from migration_app.archive.order.losses import object_rejected, states_disagree
from migration_app.archive.order.ordering import Listing, Ordered, listings_merged
from migration_app.archive.order.seen_lists import (
    LISTED,
    SeenLists,
    by_run,
    grouped,
)
from migration_app.archive.order.unfinished import SeenPage, is_left_open
from migration_app.archive.sequence import sequence_unpack
from migration_app.archive.versions import Verdict, merged_states
from migration_app.contracts import Finding, JsonObject, ListingOrder, SourceKind, SourceThread
from migration_app.spill import FINDING_BYTES, FINDINGS, JSON, Gathering

_TRANSCRIPTS = frozenset({"transcript", "transcript_csv"})


@dataclasses.dataclass(frozen=True, slots=True)
class PageContent:
    """A stored page as the assembly needs it; ``payload`` is uncompressed.

    ``kind`` is one of SnapshotPage.Kind: archive, transcript, transcript_csv, live, rejects.
    """

    kind: str
    origin: str
    order: ListingOrder
    payload: bytes


Sight = SourceObject | EmptyPage | LastPage | Deletion | Mark | Filled
"""What a page shows."""


def page_objects(thread_id: str, page: PageContent, ids: MessageIds) -> Iterator[SourceObject]:
    """The objects of this thread in a page, in their order; ``ids`` as in ``page_sights``."""
    for found in page_sights(thread_id, page, ids):
        if isinstance(found, SourceObject):
            yield found


def page_sights(thread_id: str, page: PageContent, ids: MessageIds) -> Iterator[Sight]:
    """The parts of this thread in a page, in order: objects, empty list pages with has_more,
    deletions, and rejects of imports.

    ``ids`` counts CSV rows without ids over all pages of the thread: use one for all.
    """
    if page.kind == "transcript_csv":
        yield from _row_objects(thread_id, page, ids)
    elif page.kind == "rejects":
        yield from (mark_read(decode_stored(raw)) for raw in sequence_unpack(page.payload))
    else:
        yield from _document_sights(thread_id, page)


def _row_objects(thread_id: str, page: PageContent, ids: MessageIds) -> Iterator[SourceObject]:
    for row in read_rows(BytesIO(page.payload)):
        if isinstance(row, Table | Reject):
            continue
        taken = row_message(row.cells, ids)
        if not isinstance(taken, str):
            thread, message = taken
            user_ref = row.cells.get("user_ref", "").strip()
            yield SourceObject("thread", thread_id, thread_id, thread, user_ref)
            yield SourceObject("message", message["id"], thread_id, message)


def _document_sights(thread_id: str, page: PageContent) -> Iterator[Sight]:
    is_live = page.kind == "live"
    marks = MarkMaker()
    for raw in sequence_unpack(page.payload):
        value = decode_stored(raw)
        if is_last_page(value):
            yield LastPage()
        # A live source answers about the requested thread; objects in a file name their thread themselves.
        for found in expand(value, thread_id=thread_id if is_live else ""):
            if isinstance(found, SourceObject | EmptyPage):
                if found.thread_id == thread_id:
                    yield found
            elif isinstance(found, Deletion):
                if found.thread_id in {thread_id, ""}:
                    yield found
            elif isinstance(found, Refused) and is_live:
                yield marks.mark_of(found)


def assemble_thread(
    thread_id: str, pages: Iterable[PageContent], files: Mapping[str, JsonObject], *, spill: bool = False
) -> SourceThread:
    """The thread assembled from its pages: one object per id, oldest first, with findings for decisions.

    ``pages`` come in the order in which they were stored, and are released one by one: a large
    thread's objects go to a file (``spill``), with ``spill`` those of any. ``files`` are file objects known in the
    console.
    """
    sights = _Sights(spill=spill)
    ids = MessageIds()
    for page in pages:
        sights.turn_to(page)
        for found in page_sights(thread_id, page, ids):
            sights.see(found)
    known, lists = sights.known, sights.lists
    runs = listings_merged(lists.listings("run", known))
    parts = _by_run(lists.listings("step", known), [run.id for run in runs.objects])
    sights.contradiction = _transcript_settled(thread_id, sights, runs.objects, parts)
    pages_of = {kind: lists.pages(kind, known) for kind in LISTED}
    messages = _messages_ordered(sights, known["message"], runs.objects, parts)
    steps = _steps_ordered(parts, sights.all["run"], messages.objects, by_run(pages_of["step"]))
    findings = Gathering(FINDINGS, spill=sights.values.is_spilled)
    for finding in sights.findings():
        findings.append(finding, FINDING_BYTES)
    if messages.uncertain:
        findings.append(order_finding(thread_id))
    elif messages.sorted_by_time:
        findings.append(sorted_finding(thread_id))
    for run_id, ordered in steps.items():
        if ordered.uncertain:
            findings.append(step_order_finding(thread_id, run_id), FINDING_BYTES)
    asking = {kind for kind, seen in pages_of.items() if any(page.continues for page in seen)}
    own_lists: tuple[tuple[SourceKind, Ordered], ...] = (("message", messages), ("run", runs))
    for kind, ordered in own_lists:
        if kind in asking and is_left_open(ordered.objects, pages_of[kind], lists.loose(kind, known)):
            findings.append(open_finding(kind, "thread", thread_id), FINDING_BYTES)
    if "step" in asking:
        for run_id in _open_steps(steps, pages_of["step"], lists.loose("step", known)):
            owner: tuple[SourceKind, str] = ("run", run_id) if run_id else ("thread", thread_id)
            findings.append(open_finding("step", *owner), FINDING_BYTES)
    return SourceThread(
        thread_id=thread_id,
        thread=sights.thread,
        messages=sights.sequence(messages.objects),
        runs=sights.sequence(runs.objects),
        steps=sights.sequence([step for ordered in steps.values() for step in ordered.objects]),
        files=files,
        findings=findings.sequence(),
        deleted=("thread", thread_id) in sights.deleted,
        deleted_messages=sights.deleted_messages(),
    )


class _Sights:
    """Contents of the pages: the latest state of each object, and of earlier ones only what the order needs."""

    def __init__(self, *, spill: bool) -> None:
        self.values: Gathering[JsonObject] = Gathering(JSON, spill=spill)
        self.thread: JsonObject | None = None
        self.conflicts: dict[tuple[SourceKind, str], None] = {}
        self.all = {kind: KnownListed() for kind in LISTED}
        self.known: dict[SourceKind, Mapping[int, Listed]] = dict(self.all)
        self.lists = SeenLists()
        self.tellers = Tellers()
        self.contradiction: Finding | None = None
        self.disagreements: dict[tuple[SourceKind, str], dict[str, None]] = {}  # with their places
        self.marks = OpenMarks()
        self.deleted: set[tuple[str, str]] = set()
        self._origin = ""
        self._is_transcript = False

    def turn_to(self, page: PageContent) -> None:
        """The following objects are from this page."""
        self._origin = page.origin
        self._is_transcript = page.kind in _TRANSCRIPTS
        if page.kind != "rejects":
            is_talk = page.kind == "transcript_csv"
            self.lists.turn_to(page.origin, page.order, live=page.kind == "live", is_talk=is_talk)
        self.values.grow(len(page.payload))

    def see(self, found: Sight) -> None:
        """Add a part of a page."""
        if isinstance(found, SourceObject):
            self._see(found)
        elif isinstance(found, EmptyPage):
            self.lists.see_empty(found)
        elif isinstance(found, LastPage):
            self.lists.see_end()
        elif isinstance(found, Deletion):
            self.deleted.add((found.kind, found.id))
        elif isinstance(found, Filled):
            self.marks.filled(found.name)
        else:
            self.marks.add(found, self._origin)
            self.lists.talk_has_gaps |= found.place >= 0

    def findings(self) -> Iterator[Finding]:
        """Findings about objects that were seen more than once, or rejected."""
        for kind, object_id in self.conflicts:
            yield conflict_finding(kind, object_id)
        for (kind, object_id), places in self.disagreements.items():
            yield states_disagree(kind, object_id, tuple(places))
        yield from map(object_rejected, self.marks.unresolved(self.latest))
        if self.contradiction is not None:
            yield self.contradiction

    def deleted_messages(self) -> frozenset[str]:
        """Ids of the messages that are known and were deleted."""
        messages, known = self.all["message"], self.known["message"]
        return frozenset(
            name for kind, name in self.deleted if kind == "message" and messages.number_of(name) in known
        )

    def latest(self, kind: SourceKind, object_id: str) -> JsonObject | None:
        """The latest state of an object; None if none is known."""
        number = self.all[kind].number_of(object_id) if kind in self.all else None
        known = None if number is None else self.known[kind].get(number)
        return None if known is None else self.values[known.number]

    def _see(self, found: SourceObject) -> None:
        if found.kind == "thread":
            if self.thread is None:
                self.thread = found.value
            else:
                self.thread, verdict, _none = merged_states("thread", self.thread, found.value)
                self._note(verdict, found)
        elif found.kind in LISTED:
            known = self.all[found.kind]
            number = known.number_of(found.id)
            if number is None:
                number = known.add(self._kept(found.kind, found.value))
                self.marks.came(found.kind, found.value, self._origin)
            else:
                value = self.values[known[number].number]
                latest, verdict, disagreements = merged_states(found.kind, value, found.value)
                self._note(verdict, found, disagreements)
                if latest is not value:
                    known.replace(number, self._kept(found.kind, latest))
            self.lists.see(found, number)
            if found.kind == "message":
                self.tellers.see(found, number, is_transcript=self._is_transcript)

    def sequence(self, objects: Sequence[Listed]) -> Sequence[JsonObject]:
        """The objects themselves, in this order."""
        return self.values.sequence(found.number for found in objects)

    def _kept(self, kind: SourceKind, value: JsonObject) -> Listed:
        return listed(kind, value, self.values.append(value))

    def _note(self, verdict: Verdict, found: SourceObject, disagreements: Sequence[str] = ()) -> None:
        if verdict is Verdict.CONFLICT:
            self.conflicts[found.kind, found.id] = None
        if disagreements:
            self.disagreements.setdefault((found.kind, found.id), {}).update(dict.fromkeys(disagreements))


def _transcript_settled(
    thread_id: str, sights: _Sights, runs: Sequence[Listed], parts: Mapping[str, Sequence[Listing]]
) -> Finding | None:
    """Replace a transcript's messages by equal API messages. If the transcript differs, it is not used,
    and the result says so.
    """
    told = sights.tellers.only_told()
    if not told:
        return None
    known = dict(sights.known["message"])
    archived = {number: found for number, found in known.items() if number not in told}
    talk = _messages_ordered(
        sights, {number: found for number, found in known.items() if number in told}, runs, parts
    )
    result = covered(
        talk.objects,
        _messages_ordered(sights, archived, runs, parts),
        lambda found: text_of(sights.values[found.number]),
    )
    sights.known["message"] = known
    if result.differs_at is None:
        settled, own = {**result.same, **result.behind}, sights.all["message"]
        known.update({number: settled[own[number].id] for number in told})
        return None
    for number in told:
        del known[number]
    return transcript_contradicts(thread_id, len(told), result.differs_at)


def _messages_ordered(
    sights: _Sights,
    known: Mapping[int, Listed],
    runs: Sequence[Listed],
    parts: Mapping[str, Sequence[Listing]],
) -> Ordered:
    """These messages, oldest first."""
    messages: Mapping[SourceKind, Mapping[int, Listed]] = {"message": known}

    def clues() -> Clues:
        # Steps name messages by their own ids, also those that are known as another one.
        own = sights.all["message"]
        named = {own[number].id: found for number, found in known.items()}
        return message_clues(named, runs, parts, _cut_out(sights.lists.pages("message", messages)))

    return listings_merged(sights.lists.listings("message", messages), clues)


def _by_run(listings: Sequence[Listing], run_ids: Sequence[str]) -> dict[str, list[Listing]]:
    """Lists of steps as lists of each run's steps, the runs in their order."""
    parts: dict[str, list[Listing]] = {run_id: [] for run_id in run_ids}
    for listing in listings:
        pages: dict[str, list[list[Listed]]] = collections.defaultdict(list)
        for page in listing.pages:
            for run_id, steps in grouped(page).items():
                pages[run_id].append(steps)
        for run_id, steps in grouped(listing.objects).items():
            own = [page for page in pages[run_id] if len(page) > 1]
            parts.setdefault(run_id, []).append(dataclasses.replace(listing, objects=steps, pages=own))
    return parts


def _steps_ordered(
    parts: Mapping[str, Sequence[Listing]],
    runs: KnownListed,
    messages: Sequence[Listed],
    pages: Mapping[str, Sequence[SeenPage]],
) -> dict[str, Ordered]:
    """The steps of each run, oldest first."""
    created = {
        step.creates for own in parts.values() for part in own for step in part.objects if step.creates
    }
    places = {found.id: place for place, found in enumerate(messages) if found.id in created}

    def clues(run_id: str) -> Clues:
        number = runs.number_of(run_id)
        run = None if number is None else runs[number]
        return step_clues(run, parts[run_id], places, _cut_out(pages.get(run_id, ())))

    return {
        run_id: listings_merged(own, functools.partial(clues, run_id)) if own else Ordered(())
        for run_id, own in parts.items()
    }


def _cut_out(pages: Iterable[SeenPage]) -> list[Sequence[Listed]]:
    """The pages that an API cut from the whole list, by their has_more."""
    return [page.objects for page in pages if page.continues is not None and page.objects]


def _open_steps(
    steps: Mapping[str, Ordered], pages: Sequence[SeenPage], loose: Sequence[Sequence[Listed]]
) -> Iterator[str]:
    """The runs with an unfinished list of steps; an empty name for a list without a run."""
    single: dict[str, list[list[Listed]]] = collections.defaultdict(list)
    for part in loose:
        for run_id, own in grouped(part).items():
            single[run_id].append(own)
    for run_id, lists in by_run(pages).items():
        if is_left_open(steps[run_id].objects, lists, single[run_id]):
            yield run_id
    if any(page.continues and not page.objects for page in pages) and not any(page.objects for page in pages):
        yield ""
