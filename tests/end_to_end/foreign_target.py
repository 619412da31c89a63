"""A conversations API of its own: written from the public description, shares no line with the sandbox.

What it holds is the truth that black-box runs are judged by. Its state lives in this process; it listens on a
free port of this machine, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

from aiohttp import web

Json = dict[str, Any]
_START_SECONDS = 10.0


@dataclasses.dataclass(slots=True)
class Behaviour:
    """How the server behaves. Shares are of the requests concerned, drawn by a generator with a fixed seed.

    ``late_seconds``: so long after it came, a late request acts, whatever became of its client.
    ``lag_seconds``: so long after an append was answered, lists begin to show it.
    ``keeps_ids``: clients' ids are kept and a repeated one is refused, as by the real service; else they are
    replaced, and a repeat is appended again.
    """

    late_appends: float = 0.0
    late_creates: float = 0.0
    late_deletes: float = 0.0
    late_seconds: float = 7.0
    lag_seconds: float = 0.0
    latency_seconds: float = 0.0
    keeps_ids: bool = False


@dataclasses.dataclass(slots=True)
class Held:
    """One item of a conversation, and from when on lists show it."""

    item: Json
    listed_from: float


@dataclasses.dataclass(slots=True)
class Room:
    """One conversation."""

    name: str
    metadata: dict[str, str]
    items: list[Held] = dataclasses.field(default_factory=list)


class ForeignTarget:
    """The server: its rooms, its behaviour (may be changed while it runs), and how many requests it has seen."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.rooms: dict[str, Room] = {}
        self.deleted: dict[str, Room] = {}
        self.requests = 0
        self.late = 0
        self.late_pending = 0
        self.url = ""
        self._chance = random.Random(7)  # noqa: S311 - no secret is made of it
        self._numbers = itertools.count(1)

    def texts(self, name: str) -> list[str]:
        """What a conversation really holds, in order; empty if there is no such conversation."""
        room = self.rooms.get(name)
        return [] if room is None else [_text(held.item) for held in list(room.items)]

    def left_over(self, name: str) -> list[str]:
        """What is left of a conversation, deleted or not: the texts of items that nobody deleted."""
        room = self.rooms.get(name) or self.deleted.get(name)
        return [] if room is None else [_text(held.item) for held in room.items]

    def application(self) -> web.Application:
        """The routes."""
        made = web.Application(client_max_size=64 << 20)
        made.router.add_post("/v1/conversations", self._create)
        made.router.add_get("/v1/conversations/{room}", self._show)
        made.router.add_delete("/v1/conversations/{room}", self._delete)
        made.router.add_post("/v1/conversations/{room}/items", self._append)
        made.router.add_get("/v1/conversations/{room}/items", self._list)
        made.router.add_get("/v1/conversations/{room}/items/{item}", self._show_item)
        made.router.add_delete("/v1/conversations/{room}/items/{item}", self._delete_item)
        return made

    async def _create(self, request: web.Request) -> web.Response:
        body = await self._come_in(request, self.behaviour.late_creates)
        room = Room(f"conv_{next(self._numbers):06}", body.get("metadata") or {})
        self.rooms[room.name] = room
        return web.json_response(_shown(room))

    async def _show(self, request: web.Request) -> web.Response:
        await self._come_in(request, 0.0)
        room = self.rooms.get(request.match_info["room"])
        return _missing() if room is None else web.json_response(_shown(room))

    async def _delete(self, request: web.Request) -> web.Response:
        await self._come_in(request, self.behaviour.late_deletes)
        room = self.rooms.pop(request.match_info["room"], None)
        if room is None:
            return _missing()
        self.deleted[room.name] = room  # its items stay, as the description says
        return web.json_response({"id": room.name, "object": "conversation.deleted", "deleted": True})

    async def _append(self, request: web.Request) -> web.Response:
        body = await self._come_in(request, self.behaviour.late_appends)
        room = self.rooms.get(request.match_info["room"])
        if room is None:
            return _missing()
        given = [item["id"] for item in body["items"] if item.get("id")]
        if self.behaviour.keeps_ids and {held.item["id"] for held in room.items} & set(given):
            return _refused("Item already in conversation", "item_already_in_conversation")
        made = [self._made(item) for item in body["items"]]
        listed_from = time.monotonic() + self.behaviour.lag_seconds
        room.items += [Held(item, listed_from) for item in made]
        return web.json_response(_listed(made, more=False))

    async def _list(self, request: web.Request) -> web.Response:
        await self._come_in(request, 0.0)
        room = self.rooms.get(request.match_info["room"])
        if room is None:
            return _missing()
        now = time.monotonic()
        items = [held.item for held in room.items if held.listed_from <= now]
        if request.query.get("order", "desc") == "desc":
            items.reverse()
        after = request.query.get("after")
        if after:
            names = [item["id"] for item in items]
            if after not in names:
                return _missing()
            items = items[names.index(after) + 1 :]
        limit = int(request.query.get("limit", "20"))
        return web.json_response(_listed(items[:limit], more=len(items) > limit))

    async def _show_item(self, request: web.Request) -> web.Response:
        await self._come_in(request, 0.0)
        room = self.rooms.get(request.match_info["room"])
        for held in room.items if room is not None else ():
            if held.item["id"] == request.match_info["item"]:
                return web.json_response(held.item)
        return _missing()

    async def _delete_item(self, request: web.Request) -> web.Response:
        await self._come_in(request, self.behaviour.late_deletes)
        room = self.rooms.get(request.match_info["room"])
        kept = [held for held in room.items if held.item["id"] != request.match_info["item"]] if room else []
        if room is None or len(kept) == len(room.items):
            return _missing()
        room.items = kept
        return web.json_response(_shown(room))

    async def _come_in(self, request: web.Request, late: float) -> Json:
        """Read the request whole, then wait as the behaviour has it; what follows happens at one moment."""
        body: Json = await request.json() if request.can_read_body else {}
        self.requests += 1
        if self._chance.random() < late:
            self.late += 1
            self.late_pending += 1
            try:
                await asyncio.sleep(self.behaviour.late_seconds)
            finally:
                self.late_pending -= 1
        elif self.behaviour.latency_seconds:
            await asyncio.sleep(self.behaviour.latency_seconds)
        return body

    def _made(self, given: Json) -> Json:
        number = next(self._numbers)
        name = given.get("id") if self.behaviour.keeps_ids else None
        item = {**given, "id": name or f"item_{number:06}", "status": "completed"}
        if isinstance(item.get("content"), list):
            item["content"] = [
                {"annotations": [], "logprobs": [], **part} if part["type"] == "output_text" else part
                for part in item["content"]
            ]
        return item


@contextlib.contextmanager
def foreign_target(behaviour: Behaviour) -> Iterator[ForeignTarget]:
    """Run one until the block ends."""
    target = ForeignTarget(behaviour)
    loop = asyncio.new_event_loop()
    # A request's handler runs on when its client has gone: the late ones depend on it.
    runner = web.AppRunner(target.application(), handler_cancellation=False, shutdown_timeout=0.1)
    ready = threading.Event()

    async def begin() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        target.url = f"http://{host}:{port}/v1"
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=serve, name="foreign-target", daemon=True)
    thread.start()
    if not ready.wait(_START_SECONDS):
        raise RuntimeError("the foreign target did not start")
    try:
        yield target
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(_START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS)
        loop.close()


def _text(item: Json) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def _shown(room: Room) -> Json:
    return {"id": room.name, "object": "conversation", "created_at": 1_790_000_000, "metadata": room.metadata}


def _listed(items: list[Json], *, more: bool) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else ("", "")
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}


def _missing() -> web.Response:
    error = {"message": "not here", "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=404)


def _refused(message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": "items", "code": code}
    return web.json_response({"error": error}, status=400)
