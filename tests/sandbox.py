"""Running a sandbox inside a test's process, and a small client of its control endpoint. Imports no Django."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from console.sandbox.app import Sandbox
from console.sandbox.faults import parse_spec
from console.sandbox.seed import seed_file, seed_lines
from console.sandbox.server import base_url, listen, make_server
from console.sandbox.wire import Json, encode
from console.sandbox.world import new_world

START_SECONDS = 10
CALL_SECONDS = 30


class ControlError(Exception):
    """The control endpoint refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class State:
    """Counts: `items` by conversation id (deleted conversations left out), `requests` by "METHOD /route".

    `late`: requests that have come and are still to act.
    """

    conversations: int
    deleted_conversations: int
    items: dict[str, int]
    stored_items: int
    threads: int
    messages: int
    assistants: int
    requests: dict[str, int]
    late: int


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One logged request; `status` None: it got no answer. `body` is parsed JSON, None without a body."""

    number: int
    method: str
    path: str
    query: str
    status: int | None
    fault: str | None
    request_id: str | None
    body: Any
    body_bytes: int


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """All that is stored of a conversation, items oldest first."""

    conversation: Json
    deleted: bool
    items: list[Json]


@dataclass(frozen=True, slots=True)
class Control:
    """Client of the control endpoint at `url` (…/_sandbox); raises ControlError when refused."""

    url: str

    def add_faults(self, spec: str) -> None:
        """Switch faults on, by a SPEC (see console.sandbox.faults)."""
        self._call("POST", "/faults", encode({"spec": spec}))

    def add_fault(self, kind: str, match: str = "", **options: float) -> None:
        """Switch one fault on; options as in a SPEC (times, after, every, seconds, retry_after, status)."""
        self._call("POST", "/faults", encode({"kind": kind, "match": match, **options}))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._call("DELETE", "/faults")

    def faults(self) -> list[Json]:
        """Return the rules with `seen` and `fired`."""
        return list(self._call("GET", "/faults")["faults"])

    def state(self) -> State:
        """Return the counts."""
        return State(**self._call("GET", "/state"))

    def requests(self) -> list[SeenRequest]:
        """Return the last API requests, oldest first."""
        return [SeenRequest(**entry) for entry in self._call("GET", "/requests")["requests"]]

    def reset(self, *, keep_source: bool = False) -> None:
        """Forget everything: seeds (unless kept), conversations, faults, log."""
        self._call("POST", "/reset?keep=source" if keep_source else "/reset")

    def seed(self, objects: Iterable[Mapping[str, Any]]) -> Json:
        """Add API objects to the source; returns the counts taken and ignored, by kind."""
        return self._call("POST", "/seed", b"\n".join(encode(value) for value in objects))

    def add_message(self, thread_id: str, role: str, text: str) -> Json:
        """Append a message to a thread, and return it."""
        path = f"/threads/{quote(thread_id, safe='')}/messages"
        return self._call("POST", path, encode({"role": role, "text": text}))

    def conversation(self, conversation_id: str) -> StoredConversation:
        """Return what is stored of a conversation, deleted or not."""
        found = self._call("GET", f"/conversations/{quote(conversation_id, safe='')}")
        return StoredConversation(found["conversation"], found["deleted"], found["items"]["data"])

    def _call(self, method: str, path: str, body: bytes | None = None) -> Json:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.netloc, timeout=CALL_SECONDS)
        with closing(connection):
            connection.request(method, parts.path + path, body)
            answer = connection.getresponse()
            value: Json = json.loads(answer.read())
        if answer.status != HTTPStatus.OK:
            raise ControlError(answer.status, value["error"]["message"])
        return value


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that listens: `base_url` is for an API client, `control` for the test."""

    base_url: str
    control: Control


@contextmanager
def running_sandbox(
    *,
    seeds: Sequence[Path] = (),
    objects: Iterable[Mapping[str, Any]] = (),
    latency_ms: float = 0.0,
    faults: str = "",
) -> Iterator[RunningSandbox]:
    """Run a sandbox in a thread of this process, on a free loopback port, seeded with files and API objects."""
    world = new_world(parse_spec(faults))
    for path in seeds:
        seed_file(world.source, path)
    seed_lines(world.source, (encode(value) for value in objects), "objects")
    listener = listen("127.0.0.1", 0)
    url = base_url(listener)
    listening = threading.Event()
    server = make_server(Sandbox(world, latency=latency_ms / 1000), listening.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        if not listening.wait(START_SECONDS):
            raise RuntimeError(f"The sandbox did not start within {START_SECONDS} seconds.")
        yield RunningSandbox(url, Control(f"{url.removesuffix('/v1')}/_sandbox"))
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
