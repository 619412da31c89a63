"""What a thread in flight carries: its claim, its plan, what stands at the target, and what is not yet durable.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from migration_app.backfill.commits import Commits
from migration_app.backfill.database import DatabaseThread
from migration_app.contracts import Actor, PlannedItem, ThreadPlan
from migration_app.conversion.canonical import Fingerprinting
from migration_app.gateways.connection import Connection
from migration_app.models import Chunk, Conversation, Thread
from migration_app.services.journal import Entry
from migration_app.services.plans import PlannedThread


class HandBackError(Exception):
    """The turn is over, or the batch is held: the thread goes back as it is, for whoever takes it next."""


@dataclasses.dataclass(slots=True)
class Work:
    """One claimed thread in a worker's hands.

    ``conversation`` and ``chunks`` are images of the rows as they were loaded and as this worker changed them;
    ``planned`` is None for work that converts nothing, or where ``trouble`` says why it can't be. ``entry``
    collects what is to be written; ``write`` makes it durable. ``stopping`` tells whether the worker is to stop
    after the step at hand. ``sent`` is the fingerprint of what stands in the conversation. ``looks`` is shared
    by all threads of the turn: what one looks up serves the others.
    """

    thread: Thread
    planned: PlannedThread | None
    conversation: Conversation | None
    chunks: list[Chunk]
    connection: Connection
    commits: Commits
    database: DatabaseThread
    stopping: Callable[[], bool]
    entry: Entry
    actor: Actor
    trouble: Exception | None = None
    sent: Fingerprinting = dataclasses.field(default_factory=Fingerprinting)
    looks: dict[tuple[str, str], asyncio.Task[None]] = dataclasses.field(default_factory=dict)

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
        """The planned items that belong into the conversation: all, unless its application went on by itself."""
        until = self.conversation.continued_after if self.conversation is not None else None
        return self.plan.items if until is None else self.plan.items[:until]

    async def write(self) -> None:
        """Make the entry durable and begin a new one. Raises LeaseLostError."""
        entry, self.entry = self.entry, Entry(self.thread)
        await self.commits.write(entry)

    def step(self) -> None:
        """Between two steps: raise HandBackError if the worker is to stop."""
        if self.stopping():
            raise HandBackError
