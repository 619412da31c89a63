"""Proxies of the environment, and whom encrypted connections trust."""

from __future__ import annotations

import pathlib
import socket
import ssl
from collections.abc import Iterator, Mapping

import httpx2
import pytest

from migration_app.gateways import transport
from migration_app.gateways.configured import target_connection
from migration_app.gateways.errors import GatewayError, NotConfiguredError, Outcome
from migration_app.gateways.target import conversation_create
from migration_app.gateways.transport import proxy_before, sdk_http_client
from tests.migration_app.conftest import Run
from tests.migration_app.gateways.peers import OK, Peer, Server

CERTIFICATE = pathlib.Path(__file__).with_name("localhost.pem")
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust the tests' certificate, and no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    transport.trusted_certificates.cache_clear()
    yield
    transport.trusted_certificates.cache_clear()


P = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://api.example", None),
        ({"HTTPS_PROXY": P}, "https://api.example", P),
        ({"https_proxy": P}, "https://api.example", P),
        ({"HTTPS_PROXY": P}, "http://api.example", None),
        ({"HTTP_PROXY": P}, "http://api.example", P),
        ({"ALL_PROXY": P}, "https://api.example", P),
        ({"ALL_PROXY": "http://other", "HTTPS_PROXY": P}, "https://api.example", P),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://api.example", P),
        ({"HTTPS_PROXY": "https://proxy:3128"}, "https://api.example", "https://proxy:3128"),
        (
            {"HTTPS_PROXY": "http://me:p%40ss@proxy:3128"},
            "https://api.example",
            "http://me:p%40ss@proxy:3128",
        ),
        ({"ALL_PROXY": P, "NO_PROXY": "*"}, "https://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": "api.example"}, "https://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": "example"}, "https://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": ".example"}, "https://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": "other.example, api.example"}, "https://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": "pi.example"}, "https://api.example", P),
        ({"ALL_PROXY": P, "NO_PROXY": "localhost"}, "http://localhost:8000", None),
        ({"ALL_PROXY": P, "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3", None),
        ({"ALL_PROXY": P, "NO_PROXY": "10.0.0.0/8"}, "https://11.1.2.3", P),
        ({"ALL_PROXY": P, "NO_PROXY": "::1"}, "http://[::1]:8000", None),
        ({"ALL_PROXY": P, "NO_PROXY": "http://api.example"}, "http://api.example", None),
        ({"ALL_PROXY": P, "NO_PROXY": "http://api.example"}, "https://api.example", P),
    ],
)
def test_the_environment_names_the_proxy_before_an_address(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_before(httpx2.URL(url), sdk_http_client())
    assert (found and str(found)) == proxy


@pytest.mark.parametrize(
    "proxy", ["socks5://me:secret@proxy", "ftp://me:secret@proxy", "http://me:secret@[::1"]
)
def test_a_proxy_that_does_not_speak_http_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(NotConfiguredError, match="HTTPS_PROXY") as caught:
        target_connection(timeout_seconds=1)
    assert "secret" not in caught.value.text


def create(run: Run) -> str:
    async def call() -> str:
        async with target_connection(timeout_seconds=2) as made:
            return (await conversation_create(made, metadata={})).conversation_id

    return run(call())


def failed(run: Run) -> tuple[str, Outcome]:
    with pytest.raises(GatewayError) as caught:
        create(run)
    assert "secret" not in f"{caught.value} {caught.value.text} {caught.value.said}"
    return caught.value.code, caught.value.outcome


def test_a_plain_call_is_made_by_the_proxy_which_hears_who_asks(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.socket.recv(65536))
        peer.socket.sendall(OK)

    server.scripts = [script]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://api.invalid/v1")
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{server.address}")
    assert create(run) == "conv_1"
    assert heads[0].startswith(b"POST http://api.invalid/v1/conversations HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]
    assert b"\r\nauthorization: Bearer sk-test\r\n" in heads[0]


def tunnel(peer: Peer) -> None:
    """Do as a proxy that lets an encrypted call through, and as the server behind it."""
    peer.answer(b"HTTP/1.1 200 Connection established\r\n\r\n")
    encrypted(peer)


@pytest.mark.usefixtures("trusting")
def test_an_encrypted_call_goes_through_the_proxy_unread(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.socket.recv(65536, socket.MSG_PEEK))
        tunnel(peer)

    server.scripts = [script]
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.invalid/v1")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{server.address}")
    assert create(run) == "conv_1"
    assert server.seen == [b"CONNECT api.invalid:443 HTTP/1.1", b"POST /v1/conversations HTTP/1.1"]
    assert b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]
    assert b"sk-test" not in heads[0]


@pytest.mark.usefixtures("trusting")
def test_a_server_with_the_certificate_of_another_name_got_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [tunnel]
    monkeypatch.setenv("OPENAI_BASE_URL", "https://other.invalid/v1")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
    assert failed(run) == ("unreachable", Outcome.NOTHING)
    assert server.seen == [b"CONNECT other.invalid:443 HTTP/1.1"]


@pytest.mark.parametrize("answer", [b"407 Sign in", b"502 Bad Gateway"])
def test_what_a_proxy_does_not_let_through_did_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run, answer: bytes
) -> None:
    server.scripts = [lambda peer: peer.answer(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % answer)]
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.invalid/v1")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{server.address}")
    assert failed(run) == ("unreachable", Outcome.NOTHING)
    assert server.seen == [b"CONNECT api.invalid:443 HTTP/1.1"]


def test_a_proxy_that_is_not_there_let_nothing_through(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.invalid/v1")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")
    assert failed(run) == ("unreachable", Outcome.NOTHING)


def encrypted(peer: Peer) -> None:
    """Answer one request over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with context.wrap_socket(peer.socket, server_side=True) as inner:
        Peer(inner, peer.seen).answer()


@pytest.mark.usefixtures("trusting")
def test_a_server_is_trusted_by_the_certificates_that_the_environment_names(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [encrypted]
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{server.address}/v1")
    assert create(run) == "conv_1"


def test_a_server_whose_certificate_nobody_vouches_for_got_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    server.scripts = [encrypted]
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{server.address}/v1")
    assert failed(run) == ("unreachable", Outcome.NOTHING)
    assert server.seen == []
