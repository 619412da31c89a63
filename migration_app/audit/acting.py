"""Who acts, for records made by signals: the signed-in user of the current request, else the user of the shell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from migration_app.audit.command_line import command_actor
from migration_app.contracts import Actor

_AT_HAND: ContextVar[Callable[[], Actor]] = ContextVar("who_acts", default=command_actor)


def acting() -> Actor:
    """Return who acts in this thread of work."""
    return _AT_HAND.get()()


@contextlib.contextmanager
def acts(who: Callable[[], Actor]) -> Iterator[None]:
    """Use ``who`` in this block."""
    token = _AT_HAND.set(who)
    try:
        yield
    finally:
        _AT_HAND.reset(token)
