"""How long work reaches the two APIs: as the settings say, within the target's limits, closed when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings

from migration_app.archive.ids import storable_text
from migration_app.gateways.configured import source_connection, target_base_url, target_connection
from migration_app.gateways.connection import Connection
from migration_app.gateways.limits.limits import Limiter
from migration_app.models import ApiHealth, Batch
from migration_app.models.batch import MAX_WINDOW
from migration_app.tasks.api_health import API_HEALTH


@dataclasses.dataclass(frozen=True, slots=True)
class Connections:
    """How to reach the two APIs, and the part in the target's limit that the task's connection to it takes.

    ``target_name``: under which what is found out about the target is kept; empty to keep nothing.
    """

    source: Callable[[], Connection]
    target: Callable[[], Connection]
    limiter: Limiter | None = None
    target_name: str = ""

    @contextlib.contextmanager
    def target_opened(self) -> Iterator[tuple[asyncio.Runner, Connection]]:
        """Open the target in an event loop of its own. Raises GatewayError if the environment names none."""
        with asyncio.Runner() as loop:
            connection = self.target()
            try:
                yield loop, connection
            finally:
                loop.run(connection.close())
                if self.limiter is not None:
                    loop.run(self.limiter.close())


def connections_of_settings(batch: Batch | None = None, *, target_seconds: float = 0) -> Connections:
    """Connections as the environment names them. ``target_seconds``: of silence that the target is granted at least."""
    limiter = Limiter(
        redis_url=settings.RQ_QUEUES["default"]["URL"],
        target=target_base_url(),
        requests_per_minute=settings.TARGET_REQUESTS_PER_MINUTE,
        items_per_minute=settings.TARGET_ITEMS_PER_MINUTE,
        batch=batch.pk if batch else None,
        urgent=batch is not None and batch.urgent,
    )
    return Connections(
        source=partial(
            source_connection,
            base_url=settings.SOURCE_BASE_URL,
            api_version=settings.SOURCE_API_VERSION,
            timeout_seconds=settings.HTTP_TIMEOUT_SECONDS,
            max_connections=MAX_WINDOW,  # the window may grow while the turn lasts
            max_bytes=settings.ANSWER_MAX_MB << 20,
            observer=API_HEALTH.observer(ApiHealth.Api.SOURCE, target_name(settings.SOURCE_BASE_URL)),
        ),
        target=partial(
            target_connection,
            timeout_seconds=max(target_seconds, settings.HTTP_TIMEOUT_SECONDS),
            max_connections=MAX_WINDOW,
            max_bytes=settings.ANSWER_MAX_MB << 20,
            limiter=limiter,
            observer=API_HEALTH.observer(ApiHealth.Api.TARGET, target_name(target_base_url())),
        ),
        limiter=limiter,
        target_name=target_name(target_base_url()),
    )


def target_name(base_url: str) -> str:
    """The target's address without user, password and query, which may be secrets."""
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    return storable_text(f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}", 255)
