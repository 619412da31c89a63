"""Serving the sandbox with uvicorn: a listening socket, a transport that can be reset, a way to stop at once.

Not part of the app, so that the app can be tried without a network. Imports no Django.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from console.sandbox.app import TRANSPORT, Sandbox

# Longer than clients keep idle connections: the sandbox closes a connection on purpose or not at all.
KEEP_ALIVE_SECONDS = 300


class ResettableProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1 protocol, which tells the app its transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Leave the transport where the app finds it: uvicorn copies this state into each request's scope."""
        super().connection_made(transport)
        # asyncio does this only for sockets made with IPPROTO_TCP, which create_server's are not. Without it the
        # body waits 40 ms for the acknowledgement of the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class SandboxServer(uvicorn.Server):
    """Uvicorn's server, which says when it listens and does not wait for hanging requests when it stops."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then notify."""
        await super().startup(sockets)
        self.on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop the connections first: a hanging request ends when its client is gone."""
        for connection in list(self.server_state.connections):
            transport: Any = connection.transport
            if transport is not None:
                transport.abort()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises OSError when the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def base_url(listener: socket.socket) -> str:
    """Return what a client has to be given as its base URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def make_server(app: Sandbox, on_listening: Callable[[], None]) -> SandboxServer:
    """Return a server for the app; `server.run(sockets=[listen(…)])` serves until it is stopped."""
    config = uvicorn.Config(
        app,
        http=ResettableProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return SandboxServer(config, on_listening)
