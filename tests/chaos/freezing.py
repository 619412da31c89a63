"""A worker that freezes itself at a chosen boundary of the protocol, until somebody continues it.

    before_write    an entry is about to be made durable
    after_write     it is durable, and the call that it announces has not asked for its permit
    at_limit        a call waits for its permit
    before_send     it has its permit
    in_transport    all checks are behind it: the request is with the transport, and nothing of it was sent
    after_answer    its answer is here, and nobody has been told

Freezing is SIGSTOP to the worker and to the job that it forked, as when a machine is suspended: no clock of theirs
that stands still meanwhile tells them. Needs Django to be set up when it is armed, not before.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

BOUNDARIES = ("before_write", "after_write", "at_limit", "before_send", "in_transport", "after_answer")


@dataclasses.dataclass(frozen=True, slots=True)
class Freeze:
    """Freeze when ``boundary`` is passed for the ``number``-th time, from 1."""

    boundary: str
    number: int


def freeze_of(text: str) -> Freeze:
    """Read BOUNDARY:NUMBER. ValueError if it is none."""
    boundary, number = text.split(":")
    if boundary not in BOUNDARIES:
        raise ValueError(f"{boundary} is no boundary; there are {', '.join(BOUNDARIES)}")
    return Freeze(boundary, int(number))


class Freezer:
    """Counts what passes, in this process and in all that are forked from it."""

    def __init__(self, freezes: Sequence[Freeze]) -> None:
        self._freezes = freezes
        self._parent = os.getpid()
        self._passed = {boundary: multiprocessing.Value("i", 0) for boundary in BOUNDARIES}

    def passing(self, boundary: str) -> None:
        """Count, and freeze if it is time."""
        passed = self._passed[boundary]
        with passed.get_lock():
            passed.value += 1
            number = passed.value
        if Freeze(boundary, number) in self._freezes:
            for pid in dict.fromkeys((self._parent, os.getpid())):  # itself last
                os.kill(pid, signal.SIGSTOP)


def arm(freezes: Sequence[Freeze]) -> None:
    """Freeze this process and its job there, from now on."""
    freezer = Freezer(freezes)
    commits = importlib.import_module("migration_app.engine.journal.commits").Commits
    connection = importlib.import_module("migration_app.gateways.connection").Connection
    limiter = importlib.import_module("migration_app.gateways.limits.limits").Limiter
    transport = importlib.import_module("aiohttp").ClientSession
    _around(commits, "write", freezer, "before_write", "after_write")
    _around(limiter, "acquire", freezer, "at_limit", None)
    _around(connection, "_send", freezer, "before_send", "after_answer")
    _around(transport, "_request", freezer, "in_transport", None)


def _around(owner: Any, name: str, freezer: Freezer, before: str, after: str | None) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(inner)
    async def passing(*arguments: Any, **options: Any) -> Any:
        freezer.passing(before)
        value = await inner(*arguments, **options)
        if after is not None:
            freezer.passing(after)
        return value

    setattr(owner, name, passing)
