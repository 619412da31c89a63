"""Answers that were given before: what a stale cache serves, and what a confused proxy serves to somebody else."""

import time
from collections import deque
from dataclasses import dataclass, field

from console.sandbox.wire import Answer

_REMEMBERED = 16


@dataclass(slots=True)
class Answers:
    """Answers with 200: by address, with the time, for a cache; the last of each route, for anybody."""

    cached: dict[str, tuple[float, Answer]] = field(default_factory=dict)
    given: deque[tuple[str, str, Answer]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def cache(self, address: str, answer: Answer) -> None:
        """Keep an answer to a read."""
        self.cached[address] = (time.monotonic(), answer)

    def from_cache(self, address: str, seconds: float) -> Answer | None:
        """Return the answer kept for that address, unless it is older than `seconds`."""
        kept = self.cached.get(address)
        return kept[1] if kept is not None and time.monotonic() - kept[0] < seconds else None

    def note(self, route: str, path: str, answer: Answer) -> None:
        """Remember what somebody got."""
        self.given.append((route, path, answer))

    def anothers(self, route: str, path: str, own: Answer) -> Answer:
        """Return the last answer that somebody else got on this route, else on any; the own one if there is none."""
        others = [
            (of_route, answer)
            for of_route, of_path, answer in reversed(self.given)
            if answer.body != own.body and not (of_path == path and route.startswith("GET "))
        ]
        return next(
            (answer for of_route, answer in others if of_route == route),
            others[0][1] if others else own,
        )
