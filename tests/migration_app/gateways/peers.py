"""A server that speaks bytes: each connection is a script."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import struct
import threading
from collections.abc import Callable, Iterator

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"id": "conv_1"}'


@dataclasses.dataclass
class Peer:
    """The server's end of one connection."""

    socket: socket.socket
    seen: list[bytes]

    def request(self) -> None:
        """Read one request to its end, and note its first line."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        self.seen.append(head.split(b"\r\n")[0])
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if b"content-length" in line]
        missing = int(lengths[0]) - len(body) if lengths else 0
        while missing > 0:
            missing -= len(self._more())

    def answer(self, data: bytes = OK) -> None:
        """Read one request, and send this."""
        self.request()
        self.socket.sendall(data)

    def reset(self) -> None:
        """Make closing the connection a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait(self) -> None:
        """Wait until the client has gone."""
        while self.socket.recv(65536):
            pass

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError
        return data


Script = Callable[[Peer], None]


@dataclasses.dataclass
class Server:
    """``scripts`` are played one per connection, the last one again and again; ``seen`` are first lines."""

    address: str
    scripts: list[Script]
    seen: list[bytes]


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Server(f"127.0.0.1:{listener.getsockname()[1]}", [], [])

        def play(script: Script, connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                script(Peer(connection, made.seen))

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the test is over
                while True:
                    connection, _ = listener.accept()
                    script = made.scripts.pop(0) if len(made.scripts) > 1 else made.scripts[0]
                    threading.Thread(target=play, args=(script, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
