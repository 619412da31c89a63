"""The state of a thread in flight: its claim, its plan, what is at the target, and what is not yet durable.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from migration_app.contracts import Actor, JsonObject, PlannedItem, ThreadPlan
from migration_app.conversion.comparison.canonical import Fingerprinting
from migration_app.engine.behaviour import Behaviour
from migration_app.engine.chunks import AppendedIds
from migration_app.engine.database import DatabaseThread
from migration_app.engine.journal.commits import Commits
from migration_app.engine.journal.entries import Announcement, Entry
from migration_app.engine.places import ThreadPlaces
from migration_app.engine.reading import Reading
from migration_app.gateways.connection import Connection
from migration_app.models import Chunk, Conversation, Thread
from migration_app.threads.plans import PlannedThread

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MANY = 2_000
"""So many items take some 20 ms to process: longer, and the answers to all other threads would wait."""


class HandBackError(Exception):
    """The turn is over, or the batch is held: the thread is handed back as it is."""


@dataclasses.dataclass(slots=True)
class Work:
    """One claimed thread in a worker's hands.

    ``conversation`` and ``chunks`` are images of the rows as they were loaded and as this worker changed them;
    ``planned`` is None for work that converts nothing, or where ``trouble`` says why it can't be. ``entry``
    collects what is to be written; ``write`` makes it durable. ``stopping`` says whether the worker should stop
    after the current step. ``snapshot_seen``: the number of the last page that was converted; ``grown``: the
    thread was assessed from a newer one since. ``sent`` is the fingerprint of what is in the conversation.
    ``appended``: what the target called the items that this worker appended.
    ``looks`` and ``behaviour`` are shared by all threads of the turn: results are shared.
    ``replacements``: what the target refused in a conversation that was given up; the next one begins with them.
    ``reading``: what was last read of the conversation and found different, for the person who decides.
    ``places``: the window as this thread sees it; each call of ``connection`` takes a place.
    ``answered_at``: when this worker's last append was answered, by a clock that does not jump.
    """

    thread: Thread
    planned: PlannedThread | None
    conversation: Conversation | None
    chunks: Sequence[Chunk]
    connection: Connection
    commits: Commits
    database: DatabaseThread
    stopping: Callable[[], bool]
    entry: Entry
    actor: Actor
    places: ThreadPlaces
    trouble: Exception | None = None
    snapshot_seen: int | None = None
    grown: bool = False
    sent: Fingerprinting = dataclasses.field(default_factory=Fingerprinting)
    appended: AppendedIds = dataclasses.field(default_factory=AppendedIds)
    looks: dict[tuple[str, str], asyncio.Task[None]] = dataclasses.field(default_factory=dict)
    behaviour: Behaviour = dataclasses.field(default_factory=Behaviour)
    answered_at: float | None = None
    reading: Reading | None = None
    replacements: list[JsonObject] = dataclasses.field(default_factory=list)

    @property
    def plan(self) -> ThreadPlan:
        """The plan as it is sent, fallbacks included."""
        return self.converted.plan

    @property
    def converted(self) -> PlannedThread:
        """The thread's plan with what it was made of. Raises what kept it from being made."""
        if self.trouble is not None:
            raise self.trouble
        if self.planned is None:
            raise ValueError(f"thread {self.thread.thread_id} was loaded without a plan")
        return self.planned

    @property
    def items(self) -> Sequence[PlannedItem]:
        """The planned items."""
        return self.plan.items

    async def announce(self, intent: Callable[[Entry], object]) -> None:
        """Make the entry durable with what announces the next call: ``intent`` adds it once the call has a place.

        Raises LeaseLostError; StoppedError if the turn ends first: the rest is durable then, and nothing announced.
        """
        self.entry.announcement = Announcement(self.places, intent)
        await self.write()

    async def write(self) -> None:
        """Make the entry durable and begin a new one. Raises LeaseLostError."""
        entry, self.entry = self.entry, Entry(self.thread)
        await self.commits.write(entry)
        self.grown = self.grown or entry.grown

    async def apart(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call what looks at all items of the thread: elsewhere if they are many, so that the loop continues meanwhile.

        The function must not speak to the database.
        """
        if len(self.items) <= _MANY:
            return function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)

    def step(self) -> None:
        """Between two steps: raise HandBackError if the worker is to stop."""
        if self.stopping():
            raise HandBackError
