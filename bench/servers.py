"""Where the measuring happens: a database of its own beside the one named, and an empty Redis database.

Nothing of the user's is touched: the database is created and dropped, and of Redis only a database that holds no key
is taken. Must not import Django.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from redis import Redis

from console.devservers import running, volatile_state

DATABASE = "console_bench"


class PlaceError(Exception):
    """There is no place to measure in; the text says what to do."""


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """DATABASE_URL and REDIS_URL: the environment's, else servers started here.

    They sync to disk as in production (fsync), though their directory is removed at the end.
    """
    with volatile_state() as state, running(state, volatile=False) as urls:
        yield urls


@contextlib.contextmanager
def own_database(url: str) -> Iterator[str]:
    """Create the database, yield its URL, drop it. PlaceError if there is one of that name already."""
    name = sql.Identifier(DATABASE)
    with psycopg.connect(url, autocommit=True) as admin:
        try:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.errors.DuplicateDatabase:
            raise PlaceError(
                f"There is a database {DATABASE} already, of another run or one that was killed. "
                f'When none is running: psql "$DATABASE_URL" -c "DROP DATABASE {DATABASE}"'
            ) from None
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}"))
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextlib.contextmanager
def own_redis(url: str) -> Iterator[str]:
    """Yield the URL of a Redis database that is empty, and empty it afterwards. PlaceError if there is none."""
    for number in range(15, 0, -1):
        place = urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
        with contextlib.closing(Redis.from_url(place)) as redis:
            if redis.dbsize() == 0:
                try:
                    yield place
                finally:
                    redis.flushdb()
                return
    raise PlaceError("Every database of the Redis server holds keys: set REDIS_URL to another server.")


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """What the console's processes need to know; the caller adds where the API is."""
    with (
        servers() as urls,
        own_database(urls["DATABASE_URL"]) as database,
        own_redis(urls["REDIS_URL"]) as redis,
    ):
        yield {
            "CONSOLE_ENV_FILE": "",
            "DEBUG": "off",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "SECRET_KEY": "bench-only",
            "LOG_LEVEL": "ERROR",
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_ORG_ID": "",
            "OPENAI_PROJECT_ID": "",
            "SOURCE_API_KEY": "sk-bench",
            "SOURCE_AUTH": "bearer",
            "SOURCE_API_VERSION": "",
            "TARGET_PROBE_HOURS": "0",  # once a day, and no part of what a thread costs
            "TARGET_REQUESTS_PER_MINUTE": "0",
            "TARGET_ITEMS_PER_MINUTE": "0",
        }
