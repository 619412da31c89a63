"""The places of run steps' tool calls between the messages.

Messages keep their order: it is the list's own. A step comes before the message that its run
created next (the run's next message_creation step names it). A step that led to no message is placed by time.
Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

from migration_app.contracts import JsonObject
from migration_app.conversion.text import as_id, as_object, parse_time

_NEVER = float("-inf")


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """For each place before a message, and the one after the last, if it has any: the steps there, in order.

    Steps are named by their position in the input. ``uncertain`` holds those that nothing places; ``created`` the
    ids of messages that steps name as made by them and that are there. ``timed``: whether any message has a time.
    """

    slots: Mapping[int, tuple[int, ...]]
    uncertain: frozenset[int]
    created: frozenset[str]
    timed: bool = False

    @property
    def unplaced(self) -> str:
        """Why the uncertain ones have no place, as text."""
        if self.timed:
            return "no step and no run says when they were made"
        return "the messages have no times to place them by"


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    position: int
    time: float | None
    run_id: str
    creates: int | None  # position of the message that it made
    is_creation: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Messages:
    times: Sequence[float | None]
    newest: Sequence[float]  # latest time up to and with each message: never falls, so it can be bisected
    run_ids: Sequence[str]
    by_run: Mapping[str, Sequence[int]]  # the positions of each run's messages
    created: Mapping[str, int]  # the position of each message that a step made
    timed: bool  # whether any has a time


def step_type(step: JsonObject) -> str:
    """message_creation, tool_calls or another name; hand-made steps name it in one place only, or in none."""
    details = as_object(step.get("step_details"))
    for named in (details.get("type"), step.get("type")):
        if isinstance(named, str) and named:
            return named
    return next((name for name in ("message_creation", "tool_calls") if name in details), "")


def created_message_id(step: JsonObject) -> str:
    """Id of the message that a message_creation step made; empty when it names none."""
    details = as_object(step.get("step_details"))
    return as_id(as_object(details.get("message_creation")).get("message_id"))


def place_steps(
    messages: Iterable[object],
    runs: Iterable[object],
    steps: Sequence[object],
    waiting: Sequence[object] = (),
) -> Timeline:
    """Find the place of every step that is no message_creation; those only give the others their place.

    ``waiting`` counts as more steps after the others.
    """
    known = _look_at(messages, steps)
    run_times = {
        as_id(as_object(run).get("id")): parse_time(as_object(run).get("created_at")) for run in runs
    }
    placed: dict[int, list[tuple[float, int, int, int]]] = {}
    uncertain: set[int] = set()
    for turn, group in enumerate(_by_run(itertools.chain(steps, waiting), known.created, run_times)):
        for order, (step, slot) in enumerate(_place_group(group, known)):
            time = _NEVER if step.time is None else step.time
            entries = placed.setdefault(len(known.times) if slot is None else slot, [])
            entries.append((time, turn, order, step.position))
            if slot is None:
                uncertain.add(step.position)
    slots = {slot: tuple(entry[-1] for entry in sorted(entries)) for slot, entries in placed.items()}
    return Timeline(slots, frozenset(uncertain), frozenset(known.created), known.timed)


def _look_at(messages: Iterable[object], steps: Iterable[object]) -> _Messages:
    """The fields of each message that placing needs: there may be very many."""
    wanted = {
        created_message_id(step) for step in map(as_object, steps) if step_type(step) == "message_creation"
    } - {""}
    times: list[float | None] = []
    run_ids: list[str] = []
    by_run: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    created: dict[str, int] = {}
    for position, message in enumerate(map(as_object, messages)):
        times.append(parse_time(message.get("created_at")))
        run_id = as_id(message.get("run_id"))
        run_ids.append(names.setdefault(run_id, run_id))
        by_run.setdefault(run_id, []).append(position)
        message_id = as_id(message.get("id"))
        if message_id in wanted:
            created[message_id] = position
    return _Messages(
        times=times,
        newest=list(itertools.accumulate((_NEVER if time is None else time for time in times), max)),
        run_ids=run_ids,
        by_run=by_run,
        created=created,
        timed=any(time is not None for time in times),
    )


def _by_run(
    steps: Iterable[object], positions: Mapping[str, int], run_times: Mapping[str, float | None]
) -> list[list[_Step]]:
    """The steps of each run, oldest first; a step without a time counts as made with the one before it."""
    groups: dict[str, list[_Step]] = {}
    for position, source in enumerate(map(as_object, steps)):
        run_id = as_id(source.get("run_id"))
        group = groups.setdefault(run_id, [])
        time = parse_time(source.get("created_at"))
        if time is None:
            time = group[-1].time if group else run_times.get(run_id)
        is_creation = step_type(source) == "message_creation"
        creates = positions.get(created_message_id(source)) if is_creation else None
        group.append(_Step(position, time, run_id, creates, is_creation))
    return [
        sorted(group, key=lambda step: _NEVER if step.time is None else step.time)
        for group in groups.values()
    ]


def _place_group(group: Sequence[_Step], messages: _Messages) -> list[tuple[_Step, int | None]]:
    """Each tool step of one run with the position of the message it precedes; None when unknown."""
    placed: list[tuple[_Step, int | None]] = []
    lowest = 0
    for step, made_next, highest in _with_next_messages(group):
        if step.is_creation:
            lowest = max(lowest, -1 if step.creates is None else step.creates + 1)
            continue
        slot = made_next
        if slot is None:
            slot = _by_time(step, lowest, messages)
            if slot is None:
                slot = highest
            else:
                slot = min(max(slot, lowest), len(messages.times) if highest is None else highest)
        placed.append((step, slot))
    return placed


def _with_next_messages(group: Sequence[_Step]) -> list[tuple[_Step, int | None, int | None]]:
    """Each step with the message that the run's next creation step made, and with the next one that exists."""
    found: list[tuple[_Step, int | None, int | None]] = []
    made_next: int | None = None
    existing: int | None = None
    for step in reversed(group):
        if step.is_creation:
            made_next = step.creates
            existing = existing if made_next is None else made_next
        found.append((step, made_next, existing))
    return found[::-1]


def _by_time(step: _Step, lowest: int, messages: _Messages) -> int | None:
    """After every message that is not newer, yet before those that the same run made in the same second."""
    if step.time is None or not messages.timed:
        own = messages.by_run.get(step.run_id, ()) if step.run_id else ()
        at = bisect.bisect_left(own, lowest)
        return own[at] if at < len(own) else None
    slot = bisect.bisect_right(messages.newest, step.time)
    while slot > lowest and step.run_id and messages.run_ids[slot - 1] == step.run_id:
        if messages.times[slot - 1] != step.time:
            break
        slot -= 1
    return slot
