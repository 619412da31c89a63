"""Python's search for garbage cycles, done seldom while much JSON is decoded. Knows neither Django nor the network."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_COLLECT_AFTER = 50_000
"""New objects between two searches: a few MB."""

_lock = threading.Lock()
_before: list[tuple[int, int, int]] = []
"""The process's own thresholds, once for each that asks for others now."""


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """Search for cycles less often: decoded JSON makes many objects and no cycles.

    With the default thresholds this search takes up to a fifth of the CPU (measured). Objects that were there before
    are left out of it. Several may ask for it at once, one inside the other or in threads: the last to end, ends it.
    """
    with _lock:
        if not _before:
            gc.freeze()
        _before.append(_before[0] if _before else gc.get_threshold())
        gc.set_threshold(_COLLECT_AFTER, *_before[0][1:])
    try:
        yield
    finally:
        with _lock:
            found = _before.pop()
            if not _before:
                gc.set_threshold(*found)
                gc.unfreeze()
