"""Everything one sandbox holds, and the log of what it was asked. No routes, no HTTP."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from console.sandbox.answers import Answers
from console.sandbox.faults import FaultBook, FaultRule
from console.sandbox.lags import View
from console.sandbox.seed import default_models
from console.sandbox.store import Source, Target
from console.sandbox.wire import Json, decode

LOGGED_REQUESTS = 1000
LOGGED_BODY_BYTES = 65_536


@dataclass(slots=True)
class LoggedRequest:
    """One request; `status` is None while it has no answer, and stays so when the answer never came."""

    number: int
    method: str
    path: str
    query: str
    body: bytes
    body_bytes: int
    status: int | None = None
    fault: str | None = None
    request_id: str | None = None

    def as_json(self) -> Json:
        """Return what the control endpoint shows: the body as JSON where it is whole and JSON, else as text."""
        body: object = None
        if self.body:
            try:
                body = decode(self.body)
            except ValueError:
                body = self.body.decode(errors="replace")
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "fault": self.fault,
            "request_id": self.request_id,
            "body": body,
            "body_bytes": self.body_bytes,
        }


@dataclass(slots=True)
class RequestLog:
    """The last requests, and how many there were by method and route."""

    entries: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=LOGGED_REQUESTS))
    by_route: Counter[str] = field(default_factory=Counter)
    total: int = 0

    def open(self, method: str, path: str, query: str, body: bytes) -> LoggedRequest:
        """Note a request that has just arrived."""
        self.total += 1
        entry = LoggedRequest(self.total, method, path, query, body[:LOGGED_BODY_BYTES], len(body))
        self.entries.append(entry)
        return entry


@dataclass(slots=True)
class World:
    """One sandbox's state."""

    source: Source
    target: Target
    faults: FaultBook
    log: RequestLog
    resets: int = 0
    views: defaultdict[str, View] = field(default_factory=lambda: defaultdict(View))  # by conversation id
    answers: Answers = field(default_factory=Answers)
    late: int = 0  # requests that have come and will act later
    due: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen in so many seconds: before the first request after that."""
        self.due.append((time.monotonic() + seconds, act))

    def catch_up(self) -> None:
        """Do what is due by now, in its order."""
        if not self.due:
            return
        now = time.monotonic()
        ready = sorted((entry for entry in self.due if entry[0] <= now), key=lambda entry: entry[0])
        self.due = [entry for entry in self.due if entry[0] > now]
        for _, act in ready:
            act()

    def reset(self, *, keep_source: bool = False) -> None:
        """Forget all: seeds (unless kept), conversations, faults and the log."""
        self.resets += 1
        if not keep_source:
            self.source = new_source()
        self.target = Target()
        self.views.clear()
        self.answers = Answers()
        self.due.clear()
        self.faults = FaultBook()
        self.log = RequestLog()


def new_source() -> Source:
    """Return a source with models only."""
    source = Source()
    for model in default_models():
        source.models.put(model)
    return source


def new_world(faults: Iterable[FaultRule] = ()) -> World:
    """Return an empty world in which these faults are switched on."""
    book = FaultBook()
    for rule in faults:
        book.add(rule)
    return World(new_source(), Target(), book, RequestLog())
