"""The ASGI app: routes, API key, request log, faults, and how answers go out.

Handlers are plain functions of the world and a call, and run to their end without a pause: a request is atomic.
All that waits (latency, trickling, hanging) is here. Imports neither uvicorn nor Django.
"""

import asyncio
import ipaddress
import math
import re
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from console.sandbox import control, responses, source, target
from console.sandbox.errors import ApiError, not_found
from console.sandbox.faults import FaultRule, Hit, Kind, refusal
from console.sandbox.wire import NO_MANNERS, Answer, Call, refusal_of
from console.sandbox.world import LoggedRequest, World

Handler = Callable[[World, Call], Answer]

LATE = frozenset({Kind.ACT_LATE, Kind.RESET_ACT_LATE, Kind.ANSWER_LATE})

# Where the server leaves the connection's transport, so that it can be reset.
TRANSPORT = "sandbox.transport"
SLOW_PIECES = 20
LINGER_NOT = struct.pack("ii", 1, 0)

# The busiest first: routes are tried in turn.
API: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/conversations/{conversation_id}/items", target.item_create),
    ("GET", "/v1/conversations/{conversation_id}/items", target.item_list),
    ("GET", "/v1/threads/{thread_id}/messages", source.message_list),
    ("POST", "/v1/conversations", target.conversation_create),
    ("GET", "/v1/threads/{thread_id}", source.thread_get),
    ("GET", "/v1/threads/{thread_id}/runs", source.run_list),
    ("GET", "/v1/threads/{thread_id}/runs/{run_id}/steps", source.step_list),
    ("DELETE", "/v1/conversations/{conversation_id}/items/{item_id}", target.item_delete),
    ("GET", "/v1/conversations/{conversation_id}/items/{item_id}", target.item_get),
    ("GET", "/v1/conversations/{conversation_id}", target.conversation_get),
    ("POST", "/v1/conversations/{conversation_id}", target.conversation_update),
    ("DELETE", "/v1/conversations/{conversation_id}", target.conversation_delete),
    ("POST", "/v1/responses", responses.response_create),
    ("DELETE", "/v1/responses/{response_id}", responses.response_delete),
    ("GET", "/v1/models", responses.model_list),
    ("GET", "/v1/models/{model}", responses.model_get),
    ("GET", "/v1/assistants", source.assistant_list),
    ("GET", "/v1/assistants/{assistant_id}", source.assistant_get),
    ("GET", "/v1/threads", source.thread_list),
    ("GET", "/v1/threads/{thread_id}/messages/{message_id}", source.message_get),
    ("GET", "/v1/threads/{thread_id}/runs/{run_id}", source.run_get),
    ("GET", "/v1/threads/{thread_id}/runs/{run_id}/steps/{step_id}", source.step_get),
    ("GET", "/v1/files", source.file_list),
    ("GET", "/v1/files/{file_id}", source.file_get),
    ("GET", "/v1/vector_stores", source.vector_store_list),
    ("GET", "/v1/vector_stores/{vector_store_id}", source.vector_store_get),
)
CONTROL: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/_sandbox/faults", control.fault_list),
    ("POST", "/_sandbox/faults", control.fault_add),
    ("DELETE", "/_sandbox/faults", control.fault_clear),
    ("GET", "/_sandbox/state", control.state_get),
    ("GET", "/_sandbox/requests", control.request_list),
    ("POST", "/_sandbox/reset", control.reset),
    ("POST", "/_sandbox/seed", control.seed),
    ("POST", "/_sandbox/threads/{thread_id}/messages", control.message_add),
    ("GET", "/_sandbox/conversations/{conversation_id}", control.conversation_get),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request."""

    handler: Handler
    template: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One API request on its way to an answer."""

    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    entry: LoggedRequest
    hit: Hit


class Sandbox:
    """The ASGI application over one world; `latency` (seconds) comes before every API answer."""

    def __init__(self, world: World, *, latency: float = 0.0) -> None:
        self.world = world
        self.latency = latency
        self._api = _routes(API)
        self._control = _routes(CONTROL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"The sandbox serves HTTP only, not {scope['type']}.")
        body = await _read_body(receive)
        if body is None:
            return
        if scope["path"].startswith("/_sandbox"):
            await _send(send, self._answer_control(scope, body), _request_id())
        else:
            await self._serve_api(scope, receive, send, body)

    def _answer_control(self, scope: Scope, body: bytes) -> Answer:
        if not is_loopback(scope):
            return refusal_of(ApiError("The control endpoint answers to this machine only.", status=403))
        self.world.catch_up()
        try:
            found = _find(self._control, scope)
            return found.handler(self.world, _call(scope, body, found))
        except ApiError as error:
            return refusal_of(error)

    async def _serve_api(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        method, path = scope["method"], scope["path"]
        entry = self.world.log.open(method, path, scope["query_string"].decode("latin-1"), body)
        hit = self.world.faults.choose(method, path)
        exchange = Exchange(scope, receive, send, body, entry, hit)
        if not await self._is_same_world_after(hit.delay + self.latency):
            await _reset_connection(exchange)
        elif hit.fault is None:
            await _finish(exchange, self._act(exchange))
        elif hit.fault.kind in LATE:
            entry.fault = hit.fault.kind
            await self._serve_late(exchange, hit.fault)
        else:
            entry.fault = hit.fault.kind
            await self._serve_fault(exchange, hit.fault)

    async def _is_same_world_after(self, seconds: float, *, late: bool = False) -> bool:
        """Wait. False if the world was reset meanwhile: who asked the old one must leave no trace in the new."""
        resets = self.world.resets
        self.world.late += late
        try:
            if seconds:
                await asyncio.sleep(seconds)
        finally:
            self.world.late -= late
        return self.world.resets == resets

    async def _serve_late(self, exchange: Exchange, fault: FaultRule) -> None:
        """Act or answer late. Nothing of it depends on whether the client is still there."""
        answer = refusal(fault)
        if fault.kind is Kind.RESET_ACT_LATE:
            await _reset_connection(exchange)
        elif answer is not None:
            await _finish(exchange, answer)
        if fault.kind is Kind.ANSWER_LATE:
            answer = self._act(exchange)
            await self._is_same_world_after(fault.duration)
            await _finish(exchange, answer)
        elif not await self._is_same_world_after(fault.duration, late=True):
            await _reset_connection(exchange)
        else:
            acted = self._act(exchange)
            if fault.kind is Kind.ACT_LATE and answer is None:
                await _finish(exchange, acted)

    async def _serve_fault(self, exchange: Exchange, fault: FaultRule) -> None:
        answer = self._quoting(exchange, fault) if fault.kind is Kind.QUOTED else refusal(fault)
        if fault.kind is Kind.HANG:
            await _hang(exchange, fault.duration)
        if fault.kind in {Kind.HANG, Kind.RESET_BEFORE}:
            await _reset_connection(exchange)
            return
        if answer is None or fault.kind is Kind.ERROR_500_AFTER:
            acted = self._act(exchange)
            answer = answer or acted
        if fault.kind is Kind.RESET_AFTER:
            await _reset_connection(exchange)
        elif fault.kind is Kind.ANOTHERS_ANSWER:
            await _finish(exchange, self._anothers(exchange, answer))
        elif fault.kind is Kind.GARBAGE:
            await _finish(exchange, Answer(answer.body[: len(answer.body) // 2]))
        elif fault.kind is Kind.SLOW_BODY:
            await _finish(exchange, answer, seconds=fault.duration)
        else:
            await _finish(exchange, answer)

    def _quoting(self, exchange: Exchange, fault: FaultRule) -> Answer:
        """Refuse as servers do that put into their error what they did not like, a user's words with it."""
        quoted = (exchange.body or self._act(exchange).body).decode(errors="replace")
        texts = re.findall(r'"text":\s*"([^"]*)"', quoted)
        words = texts[0] if texts else quoted
        return refusal_of(ApiError(f"Invalid: {words}", status=fault.status or 400, code=words))

    def _act(self, exchange: Exchange) -> Answer:
        """Do what was asked and return the answer, refusals too."""
        scope, route = exchange.scope, "(unknown)"
        try:
            found = _find(self._api, scope)
            route = found.template.removeprefix("/v1")
            _check_key(scope)
            self.world.catch_up()
            call = _call(scope, exchange.body, found, exchange.hit.manners)
            answer = self._through_cache(found.handler, call, scope)
        except ApiError as error:
            return refusal_of(error)
        else:
            self.world.answers.note(f"{call.method} {route}", call.path, answer)
            return answer
        finally:
            self.world.log.by_route[f"{scope['method']} {route}"] += 1

    def _through_cache(self, handler: Handler, call: Call, scope: Scope) -> Answer:
        """Have it answered by the handler, or by a stale cache if one hits this read and was not told to ask."""
        if call.method != "GET" or Kind.CACHE not in call.manners:
            return handler(self.world, call)
        address = f"{call.path}?{scope['query_string'].decode('latin-1')}"
        if "no-cache" not in _header(scope, b"cache-control").lower():
            kept = self.world.answers.from_cache(address, call.manners[Kind.CACHE])
            if kept is not None:
                return kept
        answer = handler(self.world, call)
        self.world.answers.cache(address, answer)
        return answer

    def _anothers(self, exchange: Exchange, own: Answer) -> Answer:
        try:
            route = _find(self._api, exchange.scope).template.removeprefix("/v1")
        except ApiError:
            return own
        path = exchange.scope["path"]
        return self.world.answers.anothers(f"{exchange.scope['method']} {route}", path, own)


def is_loopback(scope: Scope) -> bool:
    """Tell whether the client sits on this machine."""
    client = scope.get("client")
    if not client:
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _routes(table: tuple[tuple[str, str, Handler], ...]) -> list[Route]:
    return [Route(template, endpoint=handler, methods=[method]) for method, template, handler in table]


def _find(routes: list[Route], scope: Scope) -> Found:
    other_method = False
    for route in routes:
        match, child = route.matches(scope)
        if match is Match.FULL:
            return Found(child["endpoint"], route.path, child["path_params"])
        other_method = other_method or match is Match.PARTIAL
    if other_method:
        raise ApiError(f"Not allowed to {scope['method']} on {scope['path']}.", status=405)
    raise not_found(f"Invalid URL ({scope['method']} {scope['path']})")


def _call(scope: Scope, body: bytes, found: Found, manners: Mapping[str, float] = NO_MANNERS) -> Call:
    return Call(
        method=scope["method"],
        path=scope["path"],
        params=found.params,
        query=QueryParams(scope["query_string"]),
        content_type=_header(scope, b"content-type"),
        body=body,
        manners=manners,
    )


def _check_key(scope: Scope) -> None:
    """Ask for any key at all: `Authorization: Bearer …`, or the `api-key` header of Azure and Foundry."""
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    if (scheme.lower() == "bearer" and token.strip()) or _header(scope, b"api-key"):
        return
    raise ApiError(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        status=401,
    )


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _request_id() -> str:
    return f"req_{secrets.token_hex(16)}"


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body; None when the client left before it was here."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _finish(exchange: Exchange, answer: Answer, seconds: float = 0.0) -> None:
    request_id = _request_id()
    exchange.entry.status, exchange.entry.request_id = answer.status, request_id
    await _send(exchange.send, answer, request_id, seconds)


async def _send(send: Send, answer: Answer, request_id: str, seconds: float = 0.0) -> None:
    """Send an answer; with `seconds` its body trickles for that long."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in answer.headers),
    ]
    start: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    if seconds:
        size = max(1, math.ceil(len(answer.body) / SLOW_PIECES))
        for place in range(0, len(answer.body), size):
            piece = answer.body[place : place + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(seconds / SLOW_PIECES)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": answer.body})


async def _hang(exchange: Exchange, seconds: float) -> None:
    """Say nothing until the client has had enough, or the time is over."""
    try:
        await asyncio.wait_for(_until_gone(exchange.receive), None if math.isinf(seconds) else seconds)
    except TimeoutError:
        return


async def _reset_connection(exchange: Exchange) -> None:
    """Break the connection off with a TCP reset, as a crashed proxy does: no answer, no orderly end."""
    transport = exchange.scope.get("state", {}).get(TRANSPORT)
    if transport is None:
        raise RuntimeError("Connections can be reset under console.sandbox.server only.")
    if not transport.is_closing():
        # Without lingering, closing sends RST in place of FIN.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        transport.abort()
    await _until_gone(exchange.receive)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
