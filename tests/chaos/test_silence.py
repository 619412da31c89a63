"""The proxy that falls silent: nothing is lost, nothing is reset, nothing is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings

from tests.chaos.silence import SilentProxy, silent_proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while piece := connection.recv(1024):
                connection.sendall(piece)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[SilentProxy]:
    with SilentProxy("127.0.0.1", echo).running() as running:
        yield running


def connected(proxy: SilentProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def asked(connection: socket.socket, text: bytes, *, timeout: float = 10) -> bytes:
    connection.settimeout(timeout)
    connection.sendall(text)
    return connection.recv(1024)


def test_it_passes_on(proxy: SilentProxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"hello") == b"hello"


def test_silence_neither_answers_nor_closes_and_what_was_said_meanwhile_arrives(proxy: SilentProxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"one") == b"one"
        proxy.silence()
        assert not proxy.swallowed.is_set()
        with pytest.raises(TimeoutError):
            asked(connection, b"two", timeout=0.2)
        assert proxy.swallowed.is_set()
        proxy.speak()
        connection.settimeout(10)
        assert connection.recv(1024) == b"two"


def test_new_connections_are_accepted_and_wait_too(proxy: SilentProxy) -> None:
    proxy.silence()
    with connected(proxy) as connection:
        with pytest.raises(TimeoutError):
            asked(connection, b"one", timeout=0.2)
        proxy.speak()
        connection.settimeout(10)
        assert connection.recv(1024) == b"one"


def test_what_was_forgotten_stays_silent_and_new_connections_speak(proxy: SilentProxy) -> None:
    with connected(proxy) as old:
        assert asked(old, b"one") == b"one"
        proxy.silence()
        proxy.speak(forget=True)
        with pytest.raises(TimeoutError):
            asked(old, b"two", timeout=0.2)
        with connected(proxy) as new:
            assert asked(new, b"three") == b"three"


def test_end_of_either_side_is_passed_on(proxy: SilentProxy) -> None:
    with connected(proxy) as connection:
        asked(connection, b"one")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1024) == b""


def test_postgresql_goes_on_where_it_was(db: None) -> None:
    database = settings.DATABASES["default"]
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    with silent_proxy(url) as (proxy, through), psycopg.connect(through) as connection:
        pid = connection.info.backend_pid
        proxy.silence()
        found: list[object] = []
        asking = threading.Thread(
            target=lambda: found.extend(connection.execute("SELECT pg_backend_pid()").fetchall())
        )
        asking.start()
        asking.join(0.3)
        assert (asking.is_alive(), found) == (True, [])
        proxy.speak()
        asking.join(10)
        assert found == [(pid,)]
