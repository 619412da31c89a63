"""Python's search for garbage cycles, done seldom while much JSON is decoded. Knows neither Django nor the network."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_COLLECT_AFTER = 200_000
"""New objects between two searches: a few tens of MB."""


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """Search for cycles less often: decoded JSON makes many objects and no cycles.

    With the default thresholds this search takes a fifth of an import's CPU (measured). Objects that were there before
    are left out of it.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
