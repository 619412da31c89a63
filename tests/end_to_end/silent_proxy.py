"""A TCP proxy that can go silent: connections stay, what is sent is acknowledged, and nothing ever comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class SilentProxy:
    """Forwards connections to a server until it is told to be silent."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._speaks = threading.Event()
        self._speaks.set()
        self._sockets: list[socket.socket] = []
        self.swallowed = threading.Event()
        """Something was sent into the silence: somebody waits for an answer."""

    def silence(self) -> None:
        """Answer nothing more, to nobody: neither on connections that are there nor on new ones."""
        self.swallowed.clear()
        self._speaks.clear()

    def speak(self) -> None:
        """Serve new connections again. What was silent stays so."""
        self._speaks.set()

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                self._sockets.append(near)
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def close(self) -> None:
        """Leave nothing open."""
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _connect(self, near: socket.socket) -> None:
        if not self._speaks.is_set():
            self._swallow(near)
            return
        far = socket.create_connection(self._to)
        self._sockets.append(far)
        mute = threading.Event()
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._copy, args=(source, sink, mute), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, mute: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._speaks.is_set():
                    mute.set()
                if mute.is_set():
                    self.swallowed.set()
                else:
                    sink.sendall(data)
            if not mute.is_set():
                sink.shutdown(socket.SHUT_WR)

    def _swallow(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while near.recv(65536):
                self.swallowed.set()


@contextlib.contextmanager
def silent_proxy(host: str, port: int) -> Iterator[SilentProxy]:
    """Run a proxy in front of a server until the block ends."""
    proxy = SilentProxy(host, port)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
