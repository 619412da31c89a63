"""Requests and answers of one API, over a pool of kept connections.

This is aiohttp and as little as possible around it: the SDK's own transport is aiohttp too, but the requests, answers
and exceptions that it makes around it cost as much again (measured). Must not import Django, models or services.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
import httpx2
import openai
import yarl

from migration_app.gateways.errors import NotConfiguredError

# Shorter than servers keep an idle connection (2 s and more): a request on a connection that the server is just closing
# gets no answer, and a create without an answer is an orphan.
_KEEP_IDLE_SECONDS = 1.5


class Transport:
    """The connections to one server, or to the proxy before it. They belong to the event loop of the first request.

    ``timeout_seconds`` is the longest wait for a free connection, for a new one, and between two parts of an answer.
    """

    def __init__(self, *, proxy: yarl.URL | None, timeout_seconds: float, max_connections: int) -> None:
        self._proxy = proxy
        self._max_connections = max_connections
        self._timeout = aiohttp.ClientTimeout(
            connect=timeout_seconds, sock_connect=timeout_seconds, sock_read=timeout_seconds
        )
        self._session: aiohttp.ClientSession | None = None

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request, whose ``url`` is encoded already; the context is its answer, with the body still to be read.

        Raises aiohttp.ClientError and OSError. A read or a DELETE on a kept connection that breaks is sent once more
        by aiohttp itself (RFC 9112 9.3.1 allows it); a POST never is.
        """
        if self._session is None:
            self._session = self._opened()
        # A redirect is never followed: key and body would go to an unknown address.
        return self._session.request(
            method, yarl.URL(url, encoded=True), headers=headers, data=content, allow_redirects=False
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._max_connections, keepalive_timeout=_KEEP_IDLE_SECONDS, ssl=trusted_certificates()
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # a server must not tell one thread's calls by another's
            proxy=self._proxy,
            timeout=self._timeout,
            auto_decompress=False,  # answers.py does it, up to a limit
        )


def sdk_http_client() -> httpx2.AsyncClient:
    """The transport that the SDK's client must have. It sends nothing, but knows the proxies of the environment.

    Raises NotConfiguredError for a proxy whose address is none.
    """
    try:
        return openai.DefaultAioHttpClient(verify=trusted_certificates())
    except (ValueError, httpx2.InvalidURL):
        raise NotConfiguredError(_NO_PROXY_ADDRESS) from None


def proxy_before(url: httpx2.URL, sdk_client: httpx2.AsyncClient) -> yarl.URL | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for an address, as the SDK reads them.

    Raises NotConfiguredError for one that does not speak HTTP.
    """
    # httpx2 has no public way to ask, and rules of its own for NO_PROXY (networks, ports, schemes).
    transport = sdk_client._transport_for_url(url)  # noqa: SLF001
    proxy: httpx2.Proxy | None = transport.proxy  # type: ignore[attr-defined] # the SDK's is no declared type
    if proxy is None:
        return None
    if proxy.url.scheme not in {"http", "https"}:
        raise NotConfiguredError(_NO_PROXY_ADDRESS)
    user, password = proxy.auth or (None, None)
    return yarl.URL(str(proxy.url)).with_user(user).with_password(password)


_NO_PROXY_ADDRESS = (
    "A proxy in the worker's environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) must be http:// or https://."
)


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """Whom connections trust (SSL_CERT_FILE and SSL_CERT_DIR are heard); read once: it takes longer than a call."""
    return httpx2.create_ssl_context()
