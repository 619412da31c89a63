"""The window of a turn: how many calls may be under way at once. A thread in hand needs a place only while it calls.

A thread that waits for the journal, or converts, keeps no place from the others, so a turn has more threads in hand
than places. A place is taken before a call is announced: a worker that is killed has announced no more creates than it
has places, and each of those may have happened. Belongs to one event loop. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from migration_app.gateways.errors import StoppedError


@dataclasses.dataclass(slots=True, eq=False)
class Asked:
    """One request for a place: which of the two is called, at once or later, unless it is withdrawn."""

    granted: Callable[[], None]
    stopped: Callable[[], None]
    is_granted: bool = False
    is_over: bool = False


class Places:
    """The places of one turn, given out in the order in which they were asked for.

    ``on_idle`` is called when a place is given back for which nobody waits.
    """

    def __init__(self, size: int = 1, *, on_idle: Callable[[], None] = lambda: None) -> None:
        self._size = size
        self._on_idle = on_idle
        self._taken = 0
        self._newcomers = 0
        self._waiting: collections.deque[Asked] = collections.deque()
        self._stopped = False

    @property
    def size(self) -> int:
        """How many calls may be under way."""
        return self._size

    @property
    def idle(self) -> int:
        """How many places nobody has, and no thread is about to ask for that has been begun."""
        return self._size - self._taken - self._newcomers

    def resize(self, size: int) -> None:
        """Change how many calls may be under way. Those that are under way end as usual."""
        self._size = size
        self._hand_out()

    def stop(self) -> None:
        """Give out no more, neither to those that wait nor to later ones."""
        self._stopped = True
        self._hand_out()

    def of_thread(self) -> ThreadPlaces:
        """The places as one thread sees them, from now on; it leaves as a context that ends."""
        return ThreadPlaces(self)

    def ask(self, granted: Callable[[], None], stopped: Callable[[], None]) -> Asked:
        """Ask for a place; the answer may come before this returns. Give it back, or ``withdraw``."""
        asked = Asked(granted, stopped)
        self._waiting.append(asked)
        self._hand_out()
        return asked

    def withdraw(self, asked: Asked) -> None:
        """Be asked no more, or get the place back that was handed out meanwhile."""
        if asked.is_granted and not asked.is_over:
            self.give_back()
        asked.is_over = True

    def give_back(self) -> None:
        """Free a place for the next one."""
        self._taken -= 1
        self._hand_out()
        if self._taken < self._size:
            self._on_idle()

    def expect(self, count: int) -> None:
        """Know of so many more threads that have not asked for a place yet."""
        self._newcomers += count

    def _hand_out(self) -> None:
        while self._waiting and (self._stopped or self._taken < self._size):
            asked = self._waiting.popleft()
            if asked.is_over:
                continue
            if self._stopped:
                asked.is_over = True
                asked.stopped()
            else:
                self._taken += 1
                asked.is_granted = True
                asked.granted()


class ThreadPlaces:
    """One thread's way to the places: reserved before a call is announced, or taken for a call as it comes.

    Several calls of the thread may be under way at once; each has a place of its own.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._reserved: Asked | None = None
        self._is_new = True
        places.expect(1)

    def reserve(self, granted: Callable[[], None], stopped: Callable[[], None]) -> None:
        """Ask for the place of the call that is announced next: one of the two is called, at once or later."""
        self.leave()  # of one that was announced and never made
        self._reserved = self._places.ask(granted, stopped)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @contextlib.asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Hold a place during a call: the reserved one, or one that it waits for. Raises StoppedError."""
        if self._reserved is not None and self._reserved.is_granted:
            asked, self._reserved = self._reserved, None
        else:
            asked = await self._take()
        try:
            yield
        finally:
            self._places.withdraw(asked)

    def leave(self) -> None:
        """Give back what was reserved and not used: the thread has ended."""
        self._has_asked()
        if self._reserved is not None:
            self._places.withdraw(self._reserved)
            self._reserved = None

    async def _take(self) -> Asked:
        self._has_asked()
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def refuse() -> None:
            if not granted.done():
                granted.set_exception(StoppedError())

        def grant() -> None:
            if not granted.done():
                granted.set_result(None)

        asked = self._places.ask(grant, refuse)
        try:
            await granted
        except BaseException:
            self._places.withdraw(asked)
            raise
        return asked

    def _has_asked(self) -> None:
        if self._is_new:
            self._is_new = False
            self._places.expect(-1)
