"""Connections to both APIs, from the environment. Keys live here and in the SDK's client, nowhere else.

Must not import Django, models or services.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import httpx2
import openai

from migration_app.gateways.answers import DEFAULT_MAX_BYTES
from migration_app.gateways.connection import Connection, Observer, Throttle
from migration_app.gateways.errors import NotConfiguredError
from migration_app.gateways.transport import Transport, proxy_before, sdk_http_client

_OPENAI = "https://api.openai.com/v1"


def target_connection(
    *,
    timeout_seconds: float,
    max_connections: int = 64,
    max_bytes: int = DEFAULT_MAX_BYTES,
    limiter: Throttle | None = None,
    observer: Observer | None = None,
) -> Connection:
    """Connect to the target by the SDK's own variables (OPENAI_API_KEY, OPENAI_BASE_URL, …)."""
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key:
        raise NotConfiguredError("OPENAI_API_KEY is not set where the worker runs.")
    # Set but empty (a copied .env.example) must mean absent, not an empty header or address.
    headers = {
        header: openai.Omit()
        for header, variable in (
            ("OpenAI-Organization", "OPENAI_ORG_ID"),
            ("OpenAI-Project", "OPENAI_PROJECT_ID"),
        )
        if not os.environ.get(variable)
    }
    return _connect(
        api_key=key,
        base_url=target_base_url(),
        headers=headers,
        query={},
        timeout_seconds=timeout_seconds,
        max_connections=max_connections,
        max_bytes=max_bytes,
        limiter=limiter,
        observer=observer,
    )


def target_base_url() -> str:
    """Return the target's address, which also identifies its limits."""
    return os.environ.get("OPENAI_BASE_URL") or _OPENAI


def source_connection(
    *,
    base_url: str,
    api_version: str,
    timeout_seconds: float,
    max_connections: int = 64,
    max_bytes: int = DEFAULT_MAX_BYTES,
    limiter: Throttle | None = None,
    observer: Observer | None = None,
) -> Connection:
    """Connect to the live source: SOURCE_API_KEY and SOURCE_AUTH from the environment, the rest handed in."""
    key = os.environ.get("SOURCE_API_KEY", "")
    if not base_url or not key:
        raise NotConfiguredError("SOURCE_BASE_URL and SOURCE_API_KEY must be set where the worker runs.")
    scheme = os.environ.get("SOURCE_AUTH") or "bearer"
    if scheme not in {"bearer", "api-key"}:
        raise NotConfiguredError(f"SOURCE_AUTH is {scheme!r}: use bearer or api-key.")
    headers: dict[str, str | openai.Omit] = {
        "OpenAI-Beta": "assistants=v2",
        # The target's organization and project mean nothing to another server.
        "OpenAI-Organization": openai.Omit(),
        "OpenAI-Project": openai.Omit(),
    }
    if scheme == "api-key":
        headers |= {"api-key": key, "Authorization": openai.Omit()}
    return _connect(
        api_key=key,
        base_url=base_url,
        headers=headers,
        query={"api-version": api_version} if api_version else {},
        timeout_seconds=timeout_seconds,
        max_connections=max_connections,
        max_bytes=max_bytes,
        limiter=limiter,
        observer=observer,
    )


def _connect(
    *,
    api_key: str,
    base_url: str,
    headers: Mapping[str, str | openai.Omit],
    query: Mapping[str, str],
    timeout_seconds: float,
    max_connections: int,
    max_bytes: int,
    limiter: Throttle | None,
    observer: Observer | None,
) -> Connection:
    if not base_url.startswith(("http://", "https://")):
        raise NotConfiguredError(f"The base URL {base_url!r} must begin with http:// or https://.")
    http_client = sdk_http_client()
    try:
        client = openai.AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout_seconds,
            max_retries=0,
            default_query=dict(query),
            http_client=http_client,
        )
    except httpx2.InvalidURL as error:
        raise NotConfiguredError(f"The base URL {base_url!r} is not an address: {error}.") from None
    if client.base_url.userinfo:
        raise NotConfiguredError("The base URL must hold no user name and no password: they would be shown.")
    return Connection(
        client,
        Transport(
            proxy=proxy_before(client.base_url, http_client),
            timeout_seconds=timeout_seconds,
            max_connections=max_connections,
        ),
        headers,
        timeout_seconds=timeout_seconds,
        max_bytes=max_bytes,
        limiter=limiter,
        observer=observer,
    )
