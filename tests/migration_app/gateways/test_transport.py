"""What happens on the wire, against a server that speaks bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import zlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from migration_app.gateways.configured import source_connection, target_connection
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, NotConfiguredError, Outcome
from migration_app.gateways.target import conversation_create, conversation_delete, conversation_is_there
from tests.migration_app.conftest import Run
from tests.migration_app.gateways.peers import OK, Peer, Script, Server

REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
PRIVATE = b"words of a user"


def closed(peer: Peer) -> None:
    peer.socket.close()


def closed_when_read(peer: Peer) -> None:
    peer.request()


def reset_when_read(peer: Peer) -> None:
    peer.request()
    peer.reset()


def cut_headers(peer: Peer) -> None:
    peer.answer(OK[:30])


def cut_body(peer: Peer) -> None:
    peer.answer(OK[:-5])


def cut_chunk(peer: Peer) -> None:
    peer.answer(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"id"')


def garbage(peer: Peer) -> None:
    peer.answer(b"\x00" + PRIVATE + b"\r\n\r\n")


def broken_chunk(peer: Peer) -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz " + PRIVATE + b"\r\n")


def broken_gzip(peer: Peer) -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 15\r\n\r\n" + PRIVATE)


def not_json(peer: Peer) -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + PRIVATE)


def silent(peer: Peer) -> None:
    peer.request()
    peer.wait()


def dripping(peer: Peer) -> None:
    # Each byte comes well within the timeout, all of them do not.
    peer.answer(OK[:-16].replace(b"16", b"9999"))
    peer.socket.settimeout(0.05)
    while True:
        with contextlib.suppress(TimeoutError):
            peer.socket.recv(1)
            return
        peer.socket.sendall(b" ")


LOST: Mapping[Script, str] = {
    closed: "connection_lost",
    closed_when_read: "connection_lost",
    reset_when_read: "connection_lost",
    cut_headers: "connection_lost",
    cut_body: "connection_lost",
    cut_chunk: "connection_lost",
    garbage: "connection_lost",
    broken_chunk: "connection_lost",
    broken_gzip: "connection_lost",
    not_json: "unreadable_answer",
    silent: "timeout",
    dripping: "timeout",
}


@pytest.mark.parametrize("script", LOST)
def test_a_create_without_a_whole_answer_may_have_acted(
    server: Server, connection: Connection, run: Run, script: Script
) -> None:
    server.scripts = [script]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == (LOST[script], Outcome.UNKNOWN)


@pytest.mark.parametrize("script", [script for script in LOST if script is not closed])
def test_a_create_reaches_the_server_once_however_the_connection_ends(
    server: Server, connection: Connection, run: Run, script: Script
) -> None:
    server.scripts = [script]
    with pytest.raises(GatewayError):
        run(conversation_create(connection, metadata={}))
    assert server.seen == [b"POST /v1/conversations HTTP/1.1"]


@pytest.mark.parametrize("end", [closed_when_read, reset_when_read, cut_headers, cut_body])
def test_a_create_on_a_kept_connection_that_breaks_is_not_sent_again(
    server: Server, connection: Connection, run: Run, end: Script
) -> None:
    def script(peer: Peer) -> None:
        peer.answer()
        end(peer)

    server.scripts = [script]
    run(conversation_create(connection, metadata={}))
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(server.seen) == 2


def test_a_read_on_a_kept_connection_that_breaks_is_sent_again(
    server: Server, connection: Connection, run: Run
) -> None:
    def script(peer: Peer) -> None:
        peer.answer()
        closed_when_read(peer)

    server.scripts = [script]
    for _ in range(2):
        assert run(conversation_is_there(connection, conversation_id="conv_1"))


def test_a_delete_that_could_not_connect_may_have_acted(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    # The transport repeats a DELETE by itself, so its last word says nothing of the first try.
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    gone = target_connection(timeout_seconds=0.3)
    with pytest.raises(GatewayError) as caught:
        run(conversation_delete(gone, conversation_id="conv_1"))
    assert (caught.value.code, caught.value.outcome) == ("unreachable", Outcome.UNKNOWN)
    run(gone.close())


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:9/v1", "http://[::1]:9/v1", "http://nowhere.invalid/v1"]
)
def test_a_create_that_never_left_did_nothing(
    monkeypatch: pytest.MonkeyPatch, run: Run, base_url: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    gone = target_connection(timeout_seconds=1)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(gone, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("unreachable", Outcome.NOTHING)
    run(gone.close())


def test_a_server_that_refuses_encryption_got_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    def script(peer: Peer) -> None:
        peer.socket.recv(1)

    server.scripts = [script]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{server.address}/v1")
    encrypted = target_connection(timeout_seconds=1)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(encrypted, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("unreachable", Outcome.NOTHING)
    run(encrypted.close())


@pytest.mark.parametrize("script", [garbage, broken_chunk, broken_gzip, not_json])
def test_no_error_holds_bytes_of_the_answer(
    server: Server, connection: Connection, run: Run, script: Script
) -> None:
    server.scripts = [script]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert PRIVATE.decode() not in f"{caught.value} {caught.value.said} {caught.value.__cause__!r}"


def test_a_compressed_answer_is_read(server: Server, connection: Connection, run: Run) -> None:
    body = gzip.compress(b'{"id": "conv_1"}', mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    server.scripts = [lambda peer: peer.answer(head + body)]
    assert run(conversation_create(connection, metadata={})).conversation_id == "conv_1"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("call", ["create", "read", "delete"])
def test_no_redirect_is_followed(
    server: Server, connection: Connection, run: Run, status: int, call: str
) -> None:
    elsewhere = f"Location: http://{server.address}/elsewhere\r\nContent-Length: 0\r\n\r\n".encode()

    def script(peer: Peer) -> None:
        peer.answer(b"HTTP/1.1 %d Moved\r\n" % status + elsewhere)
        peer.answer()

    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "create": lambda: conversation_create(connection, metadata={}),
        "read": lambda: conversation_is_there(connection, conversation_id="conv_1"),
        "delete": lambda: conversation_delete(connection, conversation_id="conv_1"),
    }
    server.scripts = [script]
    with pytest.raises(GatewayError) as caught:
        run(calls[call]())
    assert (caught.value.code, caught.value.permanent) == ("redirected", True)
    assert caught.value.outcome is Outcome.NOTHING
    assert len(server.seen) == 1
    assert "elsewhere" not in caught.value.text


@pytest.mark.parametrize("location", ["http://[::1/elsewhere", "ftp:elsewhere", "//", ""])
def test_a_redirect_to_nowhere_is_a_redirect(
    server: Server, connection: Connection, run: Run, location: str
) -> None:
    head = f"HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    server.scripts = [lambda peer: peer.answer(head)]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("redirected", Outcome.NOTHING)


def test_a_redirecting_source_never_sees_the_key_elsewhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    server.scripts = [lambda peer: peer.answer(moved)]
    monkeypatch.setenv("SOURCE_API_KEY", "secret")
    monkeypatch.setenv("SOURCE_AUTH", "api-key")
    made = source_connection(base_url=f"http://{server.address}/v1", api_version="", timeout_seconds=1)
    with pytest.raises(GatewayError) as caught:
        run(made.get("/threads/thread_1"))
    run(made.close())
    assert caught.value.code == "redirected"
    assert server.seen == [b"GET /v1/threads/thread_1 HTTP/1.1"]


# --- bodies -------------------------------------------------------------------------------------


def told(body: bytes, *headers: str) -> bytes:
    """An answer with this body."""
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def endless(peer: Peer) -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.socket.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


def endless_refusal(peer: Peer) -> None:
    peer.answer(b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.socket.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


def small(server: Server, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A connection that reads answers of at most 100,000 bytes."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server.address}/v1")
    return target_connection(timeout_seconds=5, max_bytes=100_000)


BOMB = gzip.compress(b" " * 50_000_000, mtime=0)
TOO_LARGE: Mapping[str, Script] = {
    "endless": endless,
    "announced": lambda peer: peer.answer(told(b"x" * 100_001)),
    "gzip": lambda peer: peer.answer(told(BOMB, "Content-Encoding: gzip")),
    "deflate": lambda peer: peer.answer(told(zlib.compress(b" " * 50_000_000), "Content-Encoding: deflate")),
    "gzip in parts": lambda peer: peer.answer(
        told(gzip.compress(b" " * 60_000, mtime=0) * 2, "Content-Encoding: gzip")
    ),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_an_answer_is_read_no_further_than_it_may_be_large(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run, name: str
) -> None:
    server.scripts = [TOO_LARGE[name]]
    connection = small(server, monkeypatch)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    run(connection.close())
    assert (caught.value.code, caught.value.outcome) == ("answer_too_large", Outcome.UNKNOWN)
    assert "100,000 bytes" in caught.value.text
    assert "ANSWER_MAX_MB" in caught.value.text


def test_a_read_that_is_too_large_is_not_asked_for_again_as_it_is(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [TOO_LARGE["announced"]]
    connection = small(server, monkeypatch)
    with pytest.raises(GatewayError):
        run(connection.get("/models"))
    run(connection.close())
    assert len(server.seen) == 1


def test_a_refusal_means_what_its_status_says_however_much_it_sends(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [endless_refusal]
    connection = small(server, monkeypatch)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    run(connection.close())
    assert (caught.value.code, caught.value.outcome) == ("unauthorized", Outcome.NOTHING)


def test_an_answer_as_large_as_it_may_be_is_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    body = b'{"id": "conv_1"}'.ljust(100_000)
    parts = gzip.compress(body[:7], mtime=0) + gzip.compress(body[7:], mtime=0)
    answers = [told(body), told(parts, "Content-Encoding: gzip"), told(body, "Content-Encoding: identity")]

    def script(peer: Peer) -> None:
        for answer in answers:
            peer.answer(answer)

    server.scripts = [script]
    connection = small(server, monkeypatch)
    for _ in answers:
        assert run(conversation_create(connection, metadata={})).conversation_id == "conv_1"
    run(connection.close())


UNREADABLE: Mapping[str, tuple[bytes, str]] = {
    "nested": (told(b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deeply"),
    "NaN": (told(b'{"id": "conv_1", "metadata": {"a": NaN}}'), "not JSON"),
    "infinity": (told(b'{"id": "conv_1", "a": -Infinity}'), "not JSON"),
    "twice": (told(b'{"id": "conv_1", "a": {"b": 1, "b": 2}}'), "one name twice"),
    "latin": (told('{"id": "schön"}'.encode("latin-1")), "not JSON"),
    "list": (told(b"[]"), "not a JSON object"),
    "page": (told(b"<html>", "Content-Type: text/html"), "not JSON"),
    "empty": (told(b""), "not JSON"),
    "brotli": (told(b"x", "Content-Encoding: br"), "compressed in a way"),
    "twice compressed": (told(b"x", "Content-Encoding: gzip, gzip"), "compressed in a way"),
    "long number": (told(b'{"id": ' + b"1" * 5_000 + b"}"), "not JSON"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_does_not_mean_one_thing_only_is_unreadable(
    server: Server, connection: Connection, run: Run, name: str
) -> None:
    data, text = UNREADABLE[name]
    server.scripts = [lambda peer: peer.answer(data)]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("unreadable_answer", Outcome.UNKNOWN)
    assert text in caught.value.text


def test_a_deeply_nested_refusal_is_a_refusal(server: Server, connection: Connection, run: Run) -> None:
    body = b"[" * 100_000
    head = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body)
    server.scripts = [lambda peer: peer.answer(head + body)]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert caught.value.code == "forbidden"


def cut_gzip(peer: Peer) -> None:
    peer.answer(told(gzip.compress(b'{"id": "conv_1"}', mtime=0)[:-8], "Content-Encoding: gzip"))


def huge_headers(peer: Peer) -> None:
    peer.answer(told(b"{}", "X-Long: " + "x" * 200_000))


@pytest.mark.parametrize("script", [cut_gzip, huge_headers])
def test_what_is_not_whole_or_not_http_any_more_may_have_acted(
    server: Server, connection: Connection, run: Run, script: Script
) -> None:
    server.scripts = [script]
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("connection_lost", Outcome.UNKNOWN)


def test_reads_ask_for_what_is_there_now_and_for_no_compression_but_gzip(
    server: Server, connection: Connection, run: Run
) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.socket.recv(65536).lower())
        peer.socket.sendall(OK)

    server.scripts = [script]
    run(connection.get("/conversations/conv_1"))
    assert b"cache-control: no-cache\r\n" in heads[0]
    assert b"accept-encoding: gzip\r\n" in heads[0]


def heads_of(server: Server, answer: bytes = OK) -> list[bytes]:
    """What the server's requests begin with; each gets this answer."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        while head := peer.socket.recv(65536, socket.MSG_PEEK):
            heads.append(head)
            peer.answer(answer)

    server.scripts = [script]
    return heads


def test_no_cookie_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    heads = heads_of(server, OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: place=7; Path=/\r\n\r\n"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server.address.replace('127.0.0.1', 'localhost')}/v1")

    async def read_twice() -> None:
        async with target_connection(timeout_seconds=2) as made:
            await made.get("/models")
            await made.get("/models")

    run(read_twice())
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_a_key_that_the_sdk_renews_is_the_next_call_s(
    server: Server, connection: Connection, run: Run
) -> None:
    heads = heads_of(server)
    run(connection.get("/models"))
    connection._client.api_key = "sk-renewed"
    run(connection.get("/models"))
    run(connection.fenced(lambda: True).post("/conversations", {}))
    keys = [head.lower().split(b"authorization: ")[1].split(b"\r\n")[0] for head in heads]
    assert keys == [b"bearer sk-test", b"bearer sk-renewed", b"bearer sk-renewed"]


def test_addresses_reach_the_server_as_they_are_written(
    server: Server, connection: Connection, run: Run
) -> None:
    heads = heads_of(server)
    assert run(conversation_is_there(connection, conversation_id="a/b ü%2F?#"))
    run(connection.get("/models", {"include[]": "x", "include": ["a[*].b", "c"]}))
    lines = [head.split(b"\r\n")[0] for head in heads]
    assert lines == [
        b"GET /v1/conversations/a%2Fb%20%C3%BC%252F%3F%23 HTTP/1.1",
        b"GET /v1/models?include[]=x&include[]=a[%2A].b&include[]=c HTTP/1.1",
    ]


def test_a_call_that_got_no_free_connection_did_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [dripping]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server.address}/v1")

    async def create_two() -> list[object]:
        async with target_connection(timeout_seconds=0.3, max_connections=1) as made:
            calls = (conversation_create(made, metadata={}) for _ in range(2))
            return list(await asyncio.gather(*calls, return_exceptions=True))

    failures = [error for error in run(create_two()) if isinstance(error, GatewayError)]
    assert {(error.code, error.outcome) for error in failures} == {
        ("timeout", Outcome.UNKNOWN),
        ("unreachable", Outcome.NOTHING),
    }
    assert len(server.seen) == 1


def test_a_key_in_the_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:secret@api.example/v1")
    with pytest.raises(NotConfiguredError, match="user name") as caught:
        target_connection(timeout_seconds=1)
    assert "secret" not in caught.value.text


class Recorder:
    """A throttle that lets all through and notes what it is asked and told."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.told: list[tuple[int, str | None]] = []

    async def acquire(self, items: int = 0) -> None:
        self.asked.append(items)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        self.told.append((status, headers.get("RETRY-AFTER")))


def limited(server: Server, scripts: Sequence[bytes], run: Run) -> tuple[Recorder, GatewayError | None]:
    """Create a conversation through a throttle, against these answers."""

    def script(peer: Peer) -> None:
        for data in scripts:
            peer.answer(data)

    server.scripts = [script]
    recorder = Recorder()

    async def create() -> None:
        async with target_connection(timeout_seconds=0.3, limiter=recorder) as made:
            await conversation_create(made, metadata={})

    try:
        run(create())
    except GatewayError as error:
        return recorder, error
    return recorder, None


@pytest.mark.usefixtures("connection")
def test_a_refusal_by_the_rate_limit_is_told_and_the_call_made_again(server: Server, run: Run) -> None:
    recorder, error = limited(server, [REFUSED, OK], run)
    assert error is None
    assert recorder.told == [(429, "7"), (200, None)]
    assert recorder.asked == [0, 0]


@pytest.mark.usefixtures("connection")
def test_a_call_that_is_refused_again_and_again_is_handed_back_as_rate_limited(
    server: Server, run: Run
) -> None:
    recorder, error = limited(server, [REFUSED] * 50, run)
    assert error is not None
    assert (error.code, error.outcome) == ("rate_limited", Outcome.NOTHING)
    assert len(server.seen) == len(recorder.asked) == 10


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "insufficient_quota"),
        (429, "billing_not_active"),
        (400, "billing_hard_limit_reached"),
        (402, ""),
    ],
)
def test_a_used_up_quota_is_no_matter_of_pace(server: Server, run: Run, status: int, code: str) -> None:
    body = b'{"error": {"code": "%s", "message": "no more"}}' % code.encode()
    head = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    recorder, error = limited(server, [head + body], run)
    assert error is not None
    assert error.code == "quota_exhausted"
    assert recorder.told == []


@pytest.mark.usefixtures("connection")
def test_a_call_whose_answer_was_lost_is_not_made_again_for_the_limit(server: Server, run: Run) -> None:
    recorder, error = limited(server, [OK[:30]], run)
    assert error is not None
    assert error.outcome is Outcome.UNKNOWN
    assert len(server.seen) == len(recorder.asked) == 1
