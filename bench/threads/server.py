"""The server that both sides are measured against: both APIs' few endpoints, a set latency, nothing else.

    python -m bench.threads.server        prints its port; POST /bench/reset {"latency": seconds} empties it

Bare asyncio: through a framework a request would cost as much as the client spends on it. It trusts its callers: no
validation, no keys. The shapes are those of console.sandbox, which is the stand-in that tests use.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl

from bench.threads import estate

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Query = dict[str, str]


class World:
    """What the server holds: conversations as lists of (id, JSON), where each item stands, and what it was asked."""

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.conversations: dict[str, list[tuple[str, bytes]]] = {}
        self.places: dict[str, dict[str, int]] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.arrivals: list[float] = []
        self.cpu_before = time.process_time()
        self._number = 0

    def next_number(self) -> int:
        """A number that no other object has."""
        self._number += 1
        return self._number

    def state(self) -> bytes:
        """What the harness wants to know: counts, and the server's own CPU seconds since the reset."""
        items = sum(len(held) for held in self.conversations.values())
        return _encode(
            {
                "requests": len(self.arrivals),
                "conversations": len(self.conversations),
                "items": items,
                "cpu": time.process_time() - self.cpu_before,
            }
        ).encode()


def answer(world: World, method: str, target: str, body: bytes) -> bytes | None:
    """Answer one API request with JSON; None for what is not here."""
    path, _, query_text = target.partition("?")
    query = dict(parse_qsl(query_text)) if query_text else {}
    match [method, *path.removeprefix("/v1/").split("/")]:
        case ["POST", "conversations"]:
            return _conversation_create(world, body)
        case ["POST", "conversations", conversation_id, "items"]:
            return _items_append(world, conversation_id, body)
        case ["GET", "conversations", conversation_id, "items"]:
            return _items_list(world, conversation_id, query)
        case ["GET", "conversations", conversation_id] if conversation_id in world.conversations:
            return _conversation(world, conversation_id)
        case ["GET", "threads", thread_id]:
            return estate.thread_document(thread_id)
        case ["GET", "threads", thread_id, "messages"]:
            return estate.message_page(
                thread_id, after=query.get("after", ""), limit=int(query.get("limit", "20"))
            )
        case ["GET", "threads", _, "runs"]:
            return b'{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}'
        case ["GET", "assistants", estate.ASSISTANT_ID]:
            return estate.assistant_document()
    return None


def _conversation_create(world: World, body: bytes) -> bytes:
    conversation_id = f"conv_{world.next_number():048x}"
    asked = json.loads(body or b"{}")
    world.conversations[conversation_id] = []
    world.places[conversation_id] = {}
    world.metadata[conversation_id] = asked.get("metadata") or {}
    if items := asked.get("items"):
        _store(world, conversation_id, items)
    return _conversation(world, conversation_id)


def _conversation(world: World, conversation_id: str) -> bytes:
    return _encode(
        {
            "id": conversation_id,
            "object": "conversation",
            "created_at": estate.CREATED_AT,
            "metadata": world.metadata[conversation_id],
        }
    ).encode()


def _items_append(world: World, conversation_id: str, body: bytes) -> bytes | None:
    if conversation_id not in world.conversations:
        return None
    return _list(_store(world, conversation_id, json.loads(body)["items"]), has_more=False)


def _store(world: World, conversation_id: str, items: list[dict[str, object]]) -> list[tuple[str, bytes]]:
    """Keep items as the real service gives them back (recorded: strings become parts, a status is added)."""
    added: list[tuple[str, bytes]] = []
    for item in items:
        item_id = str(item.get("id") or f"msg_{world.next_number():048x}")
        content = item.get("content")
        if isinstance(content, str):
            item["content"] = [{"type": "input_text", "text": content}]
        elif isinstance(content, list):
            for part in content:
                if part["type"] == "output_text":
                    part.setdefault("annotations", [])
                    part.setdefault("logprobs", [])
        stored = {"id": item_id, "type": "message", "status": "completed", **item}
        world.places[conversation_id][item_id] = len(world.conversations[conversation_id]) + len(added)
        added.append((item_id, _encode(stored).encode()))
    world.conversations[conversation_id] += added
    return added


def _items_list(world: World, conversation_id: str, query: Query) -> bytes | None:
    held = world.conversations.get(conversation_id)
    if held is None:
        return None
    limit = int(query.get("limit", "20"))
    after = query.get("after")
    at = world.places[conversation_id][after] if after else None
    if query.get("order", "desc") == "desc":
        end = len(held) if at is None else at
        return _list(held[max(0, end - limit) : end][::-1], has_more=end > limit)
    first = 0 if at is None else at + 1
    return _list(held[first : first + limit], has_more=first + limit < len(held))


def _list(entries: list[tuple[str, bytes]], *, has_more: bool) -> bytes:
    ids = (entries[0][0], entries[-1][0]) if entries else ("", "")
    tail = f'],"first_id":"{ids[0]}","last_id":"{ids[1]}","has_more":{"true" if has_more else "false"}}}'
    return b'{"object":"list","data":[' + b",".join(raw for _, raw in entries) + tail.encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1 as the SDK's transports speak it: keep-alive, bodies with a length."""

    def __init__(self, holder: list[World]) -> None:
        self._holder = holder
        self._buffer = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: answer every whole request that is there."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ", 2)
            self._respond(method, target, body)

    def _respond(self, method: str, target: str, body: bytes) -> None:
        world = self._holder[0]
        if target.startswith("/bench/"):
            self._send(_control(self._holder, target, body), 0)
            return
        world.arrivals.append(time.monotonic())
        content = answer(world, method, target, body)
        if content is None:
            error = b'{"error":{"message":"not found","type":"invalid_request_error","code":"not_found"}}'
            head = f"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {len(error)}"
            self._later(f"{head}\r\n\r\n".encode() + error, world.latency)
        else:
            self._send(content, world.latency, len(world.arrivals))

    def _send(self, content: bytes, latency: float, number: int = 0) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_{number}\r\n"
            f"content-length: {len(content)}\r\n\r\n"
        )
        self._later(head.encode() + content, latency)

    def _later(self, data: bytes, latency: float) -> None:
        if latency:
            asyncio.get_running_loop().call_later(latency, self._transport.write, data)
        else:
            self._transport.write(data)


def _control(holder: list[World], target: str, body: bytes) -> bytes:
    """What the harness asks: not counted, not delayed."""
    world = holder[0]
    if target == "/bench/reset":
        holder[0] = World(json.loads(body)["latency"])
        return b"{}"
    if target == "/bench/arrivals":
        return _encode(world.arrivals).encode()
    if target == "/bench/items":
        held = [[json.loads(raw) for _, raw in entries] for entries in world.conversations.values()]
        return _encode(held).encode()
    return world.state()


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    return int(lowered[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


async def serve(announce: Callable[[int], None]) -> None:
    """Serve on a free port of this machine until standard input ends; ``announce`` hears the port."""
    holder = [World()]
    server = await asyncio.get_running_loop().create_server(lambda: Connection(holder), "127.0.0.1", 0)
    announce(int(server.sockets[0].getsockname()[1]))
    # The parent process holds standard input: when that ends, so does the server.
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    server.close()


def _print_port(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(_print_port))
