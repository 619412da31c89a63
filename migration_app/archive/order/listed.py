"""The input of ordering: the fields of each object that it needs, and other clues.

Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


class Listed(NamedTuple):
    """The fields of an object that its order depends on. Times are seconds since 1970. ``number``: where it is stored.

    ``opens``: its type comes first if nothing else decides (a user's message, a step's calls).
    ``ended``: when a step ended. ``creates``: the message that a step made. ``completed``: its status.
    """

    id: str
    time: float | None
    number: int = 0
    run_id: str = ""
    opens: bool = True
    ended: float | None = None
    creates: str = ""
    completed: bool = False


Scale = tuple[str, float]
"""A name, and a place on it: of two objects with places on one scale, the lower one is the earlier one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Clues:
    """What orders objects of one second besides the lists that contain them.

    ``scales`` has an object's places. ``chains`` are in order. ``pages`` are contiguous parts of a whole list:
    nothing belongs between the objects of one. ``indifferent``: the order of these two does not matter.
    """

    scales: Callable[[Listed], Iterable[Scale]] = lambda _found: ()
    chains: Sequence[Sequence[Listed]] = ()
    pages: Sequence[Sequence[Listed]] = ()
    indifferent: Callable[[Listed, Listed], bool] = lambda _first, _second: False


NO_CLUES = Clues()
