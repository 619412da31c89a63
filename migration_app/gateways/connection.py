"""A connection to one API: how a call is sent, retried, limited and understood.

A connection belongs to the event loop in which it is first used. Must not import Django, models or services.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType, TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

import aiohttp
import httpx2
import openai

from migration_app.contracts import JsonObject
from migration_app.gateways.answers import DEFAULT_MAX_BYTES, ENCODINGS_ASKED, answer_body, decoded
from migration_app.gateways.errors import (
    GatewayError,
    LeaseUncertainError,
    Outcome,
    from_response,
    from_transport,
    request_id_of,
)
from migration_app.gateways.transport import Transport
from migration_app.json_codec import json_encode

_READ_PAUSES = (0.25, 1.0)
"""Seconds before a read is tried a second and a third time."""
_LONGEST_READ_PAUSE = 5.0
"""After a longer wait the thread is handed back, so that a pause of the batch need not wait for it."""
_REFUSED_TRIES = 10
"""How often one call waits for 429 before its error is raised."""
_WHOLE_CALL = 4
"""A call may take this many times the timeout, which is only the longest wait for data: a trickling answer ends too."""
_BROKEN = (aiohttp.ClientError, OSError, zlib.error, EOFError)
"""What transport, timeouts and decompression raise when an answer is incomplete."""

Query = dict[str, str | int | list[str]]
_NO_QUERY: Mapping[str, str | int | list[str]] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer: its bytes as received, decoded, and the server's request id."""

    raw: bytes
    value: JsonObject
    request_id: str


@dataclasses.dataclass(slots=True)
class CallCounts:
    """What a connection has done so far: calls sent, reads sent again after an error, and answers 429."""

    calls: int = 0
    retries: int = 0
    throttled: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Received:
    """A 2xx answer, its body read."""

    body: bytes
    request_id: str

    def answer(self) -> Answer:
        return Answer(self.body, decoded(self.body, request_id=self.request_id), self.request_id)


class Throttle(Protocol):
    """What a connection calls before each call and after each answer (``limits.Limiter``)."""

    async def acquire(self, items: int = 0) -> None:
        """Wait until one more call with this many items may be made."""

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer: its status and its headers, whose names match in any case."""


Observer = Callable[[int, str], None]
"""Called after each call: the status of its answer, 0 without one, and the code of its failure, empty without one."""


class Connection:
    """One API. Reads are retried (they are idempotent); writes are sent once.

    The one exception: with a limiter, a call that was refused with 429 did nothing, and is sent again when the
    limiter lets it.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        transport: Transport,
        headers: Mapping[str, str | openai.Omit],
        *,
        timeout_seconds: float,
        max_bytes: int = DEFAULT_MAX_BYTES,
        limiter: Throttle | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.counts = CallCounts()
        self._client = client
        self._transport = transport
        self._limiter = limiter
        self._observer = observer
        self._max_bytes = max_bytes
        self._fence: Callable[[], bool] | None = None
        self._place: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext
        self._whole_call_seconds = timeout_seconds * _WHOLE_CALL
        # Reads that fail so are not tried again at once; with a limiter, refusals have been already.
        self._not_again = {"unreadable_answer", "answer_too_large", "stopped"} | (
            {"rate_limited"} if limiter else set()
        )
        # Address, key and headers are the SDK's. Its request loop rebuilds them for every call, which costs more than
        # sending it (measured); its retries are not wanted, and its errors carry less than the answer.
        self._base_url = str(client.base_url).rstrip("/")
        self._query = tuple((name, str(value)) for name, value in client.default_query.items())
        self._own_headers = headers
        self._take_headers()

    def _take_headers(self) -> None:
        """Take the SDK's headers, with the key that it has now."""
        self._key = self._client.api_key
        merged = {**self._client.default_headers, **self._client.auth_headers, **self._own_headers}
        kept = httpx2.Headers({name: value for name, value in merged.items() if isinstance(value, str)})
        self._headers = {**kept, "accept-encoding": ENCODINGS_ASKED}
        # Cached answers prove nothing.
        self._headers_of_reads = {**self._headers, "cache-control": "no-cache"}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def fenced(
        self,
        may_write: Callable[[], bool],
        place: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
    ) -> Connection:
        """The same connection for one holder of a lease: ``may_write`` is asked before each write is sent.

        It is asked after every wait, immediately before the request goes to the transport; if it says no, nothing is
        sent and LeaseUncertainError is raised. ``place`` is entered for each call, before it waits for the limiter.
        """
        fenced = copy.copy(self)
        fenced._fence, fenced._place = may_write, place  # noqa: SLF001 - a copy of this very object
        return fenced

    async def close(self) -> None:
        """Close the connection pool."""
        await self._transport.close()
        await self._client.close()

    async def get(self, path: str, query: Mapping[str, str | int | list[str]] | None = None) -> Answer:
        """Read. Lists in the query are spelt as the SDK does (``include[]=a&include[]=b``). Raises GatewayError."""
        url = self._url(path, query or {})
        for pause in _READ_PAUSES:
            try:
                return (await self._call("GET", url)).answer()
            except GatewayError as error:
                again_in = max(pause, error.retry_after or 0.0)
                if error.permanent or error.code in self._not_again or again_in > _LONGEST_READ_PAUSE:
                    raise
                self.counts.retries += 1
                await asyncio.sleep(again_in)
        return (await self._call("GET", url)).answer()

    async def post(self, path: str, body: JsonObject | bytes, *, items: int = 0) -> Answer:
        """Write, once: JSON or its bytes, of which ``items`` items count against the limit.

        Raises GatewayError; its ``outcome`` says whether the server may have acted.
        """
        content = body if isinstance(body, bytes) else encoded(body)
        return (await self._call("POST", self._url(path), content, items=items)).answer()

    async def delete(self, path: str) -> str:
        """Delete, and return the request id: servers answer differently, or not at all. Raises GatewayError."""
        try:
            return (await self._call("DELETE", self._url(path))).request_id
        except GatewayError as error:
            if error.code == "unreachable":
                # aiohttp sends a DELETE a second time by itself when a kept connection breaks: that the second could
                # not connect says nothing of the first.
                error.outcome = Outcome.UNKNOWN
            raise

    def _url(self, path: str, query: Mapping[str, str | int | list[str]] = _NO_QUERY) -> str:
        pairs: list[tuple[str, str]] = list(self._query)
        for name, value in query.items():
            if isinstance(value, list):
                pairs += [(f"{name}[]", element) for element in value]
            else:
                pairs.append((name, str(value)))
        return f"{self._base_url}{path}?{urlencode(pairs, safe='[]')}" if pairs else self._base_url + path

    async def _call(
        self, method: str, url: str, content: bytes | None = None, *, items: int = 0
    ) -> _Received:
        async with self._place():
            if self._limiter is None:
                return await self._send(method, url, content)
            for _ in range(_REFUSED_TRIES - 1):
                await self._limiter.acquire(items)
                try:
                    return await self._send(method, url, content)
                except GatewayError as error:
                    if error.code != "rate_limited":
                        raise
            await self._limiter.acquire(items)
            return await self._send(method, url, content)

    async def _send(self, method: str, url: str, content: bytes | None) -> _Received:
        if self._client.api_key != self._key:
            self._take_headers()
        if self._fence is not None and method != "GET" and not self._fence():
            raise LeaseUncertainError
        self.counts.calls += 1
        try:
            async with asyncio.timeout(self._whole_call_seconds):
                status, headers, body = await self._exchange(method, url, content)
        except _BROKEN as error:
            # Their texts quote the answer, so none of them may get further than here.
            raise self._observed(from_transport(error)) from None
        except GatewayError as error:
            raise self._observed(error) from None
        self.counts.throttled += status == 429
        refused = None if 200 <= status < 300 else from_response(status, headers, body)
        if self._observer is not None:
            self._observer(status, refused.code if refused is not None else "")
        # An exhausted quota is no matter of pace: waiting does not help.
        if self._limiter is not None and (refused is None or refused.code != "quota_exhausted"):
            self._limiter.answered(status, headers)
        if refused is not None:
            raise refused
        return _Received(body, request_id_of(headers))

    def _observed(self, error: GatewayError) -> GatewayError:
        """Tell of a call without a whole answer."""
        if self._observer is not None:
            self._observer(error.status, error.code)
        return error

    async def _exchange(
        self, method: str, url: str, content: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send, and read the answer to its end, or until it is too large: its status, headers and body."""
        headers = self._headers_of_reads if method == "GET" else self._headers
        async with self._transport.request(method, url, headers=headers, content=content) as response:
            try:
                body = await answer_body(response, max_bytes=self._max_bytes)
            except GatewayError:
                if 200 <= response.status < 300:
                    raise
                body = b""  # a refusal's status says what it means
        return response.status, response.headers, body


def encoded(body: JsonObject) -> bytes:
    """Return the bytes that ``Connection.post`` sends for it."""
    return json_encode(body, _encoded_slowly)


def _encoded_slowly(body: JsonObject) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
