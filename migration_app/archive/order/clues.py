"""What runs, steps and messages show about each other's order within a second. Standard library and contracts only."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from migration_app.archive.order.listed import Clues, Listed, Scale
from migration_app.archive.order.ordering import Listing, chains_of
from migration_app.archive.times import seconds_of
from migration_app.contracts import JsonObject, SourceKind

_ENDS = ("completed_at", "failed_at", "cancelled_at", "expired_at")


def listed(kind: SourceKind, value: JsonObject, number: int) -> Listed:
    """The fields of a message, run or step that its order depends on; ``number`` says where it is stored."""
    run_id = value.get("run_id")
    run_id = run_id if isinstance(run_id, str) else ""
    time = seconds_of(value.get("created_at"))
    completed = value.get("status") == "completed"
    if kind != "step":
        opens = kind != "message" or value.get("role") == "user"
        return Listed(value["id"], time, number, run_id, opens, completed=completed)
    created = _created_by(value)
    ends = (seconds_of(value.get(name)) for name in _ENDS)
    ended = next((end for end in ends if end is not None), None)
    return Listed(value["id"], time, number, run_id, not created, ended, created, completed)


def message_clues(
    messages: Mapping[str, Listed],
    runs: Iterable[Listed],
    steps: Mapping[str, Sequence[Listing]],
    pages: Sequence[Sequence[Listed]],
) -> Clues:
    """What orders messages: a run's question comes before its answer, runs follow each other, and so do steps."""
    begun = {run.id: run.time for run in runs}
    chains = [
        [messages[step.creates] for step in made]
        for parts in steps.values()
        for made in _made_in_order(parts, messages)
    ]

    def scales(found: Listed) -> Iterator[Scale]:
        if found.run_id:
            yield f"run {found.run_id}", float(not found.opens)
            time = begun.get(found.run_id)
            if time is not None:
                yield "runs", time

    return Clues(scales, [chain for chain in chains if len(chain) > 1], [*filter(_is_whole, pages)])


def step_clues(
    run: Listed | None,
    parts: Sequence[Listing],
    messages: Mapping[str, int],
    pages: Sequence[Sequence[Listed]],
) -> Clues:
    """What orders the steps of one run: each ended before the next began, and an answer ends a run that completed.

    ``messages`` has the places of messages: the steps that created them are in the same order.
    """
    made = {step.id: step for part in parts for step in part.objects if step.creates}
    only = next(iter(made)) if len(made) == 1 and run is not None and run.completed else ""
    known = sorted((messages[step.creates], step) for step in made.values() if step.creates in messages)

    def scales(found: Listed) -> Iterator[Scale]:
        if found.ended is not None:
            yield "ended", found.ended
        if only:
            yield "last", float(found.id == only)

    # Steps that created messages are ordered by these messages.
    return Clues(
        scales, [[step for _place, step in known]], pages, lambda one, two: not (one.opens or two.opens)
    )


def _created_by(step: JsonObject) -> str:
    details = step.get("step_details")
    creation = details.get("message_creation") if isinstance(details, dict) else None
    message_id = creation.get("message_id") if isinstance(creation, dict) else None
    return message_id if isinstance(message_id, str) else ""


def _made_in_order(parts: Sequence[Listing], messages: Mapping[str, Listed]) -> Iterator[list[Listed]]:
    """The steps of a run that made messages, as far as their lists and times order them."""
    made = {step.id: step for part in parts for step in part.objects if step.creates in messages}
    if len(made) < 2:
        return
    known, _either = chains_of(parts)
    for chain in known:
        yield [made[step.id] for step in chain if step.id in made]
    timed = [step for step in made.values() if step.time is not None]
    piece: list[Listed] = []
    for step in sorted(timed, key=lambda step: (step.time, step.ended or 0.0)):
        if piece and not _is_later(step, piece[-1]):
            yield piece
            piece = []
        piece.append(step)
    yield piece


def _is_later(step: Listed, other: Listed) -> bool:
    if step.time != other.time:
        return True
    return step.ended is not None and other.ended is not None and step.ended > other.ended


def _is_whole(page: Sequence[Listed]) -> bool:
    """Whether a page may be part of the whole list: one filtered by run leaves out messages in between."""
    return not page[0].run_id or any(
        found.run_id != page[0].run_id for found in itertools.islice(page, 1, None)
    )
