"""A TCP proxy that can fall silent: bytes are taken and not passed on, and no connection is closed or reset.

So looks a server behind a broken link, a failed over disk or a frozen machine: nothing fails, nothing answers.
Must not import Django.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

_START_SECONDS = 10.0
_PIECE = 65_536


class SilentProxy:
    """Passes on to ``host`` and ``port`` unless it is silent. Its methods may be called from any thread."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._loop = asyncio.new_event_loop()
        self._speaking = asyncio.Event()
        self._epoch = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0
        self.swallowed = threading.Event()
        """Something was said into the silence: somebody waits for an answer."""

    def silence(self) -> None:
        """Pass nothing on from now on, in neither direction; new connections are accepted and wait too."""
        self.swallowed.clear()
        self._call(self._speaking.clear)

    def speak(self, *, forget: bool = False) -> None:
        """Pass on again, and first what came in meanwhile.

        ``forget``: only for new connections; those there were stay silent for ever, as behind a firewall that lost
        its table.
        """

        def speaking() -> None:
            self._epoch += forget
            self._speaking.set()

        self._call(speaking)

    @contextlib.contextmanager
    def running(self) -> Iterator[SilentProxy]:
        """Listen on a free port of this machine until the block ends."""
        ready = threading.Event()
        thread = threading.Thread(target=self._serve, args=(ready,), name="silent-proxy", daemon=True)
        thread.start()
        try:
            if not ready.wait(_START_SECONDS):
                raise RuntimeError("the proxy did not start")
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(_START_SECONDS)

    def _call(self, act: Callable[[], object]) -> None:
        """Have it done in the loop, and wait until it is."""
        done = threading.Event()

        def acting() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(acting)
        if not done.wait(_START_SECONDS):
            raise RuntimeError("the proxy does not answer")

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._speaking.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._accepted, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        server.close()
        for writer in self._open:
            writer.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # Cancelled when the proxy ends: asyncio's server would report that as a failure of ours.
        with contextlib.suppress(asyncio.CancelledError):
            await self._join(reader, writer, self._epoch)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, epoch: int) -> None:
        self._open.add(writer)
        await self._pass(epoch)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        self._open.add(far_writer)
        await asyncio.gather(self._pump(reader, far_writer, epoch), self._pump(far_reader, writer, epoch))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, epoch: int) -> None:
        # A side that is gone closes the other one: but only while this passes on at all.
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(_PIECE):
                await self._pass(epoch)
                writer.write(piece)
                await writer.drain()
        await self._pass(epoch)
        writer.close()

    async def _pass(self, epoch: int) -> None:
        """Return as soon as bytes of that time's connections are passed on: perhaps never."""
        while True:
            if not self._speaking.is_set() or epoch != self._epoch:
                self.swallowed.set()
            await self._speaking.wait()
            if epoch == self._epoch:
                return
            await asyncio.Event().wait()


@contextlib.contextmanager
def silent_proxy(url: str) -> Iterator[tuple[SilentProxy, str]]:
    """A proxy before the server that a URL names (PostgreSQL, Redis, HTTP), and the URL that goes through it."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError("the URL must name host and port")
    with SilentProxy(parts.hostname, parts.port).running() as proxy:
        credentials, at, _ = parts.netloc.rpartition("@")
        yield proxy, parts._replace(netloc=f"{credentials}{at}127.0.0.1:{proxy.port}").geturl()
