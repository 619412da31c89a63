"""Fixtures for all tests. The servers themselves are started by console.pytest_embedded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management.color import Style
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.plugin import DjangoDbBlocker

from migration_app.jobs import queue_named
from migration_app.models.guards import GUARDED
from migration_app.operation.heartbeats import HEARTBEAT_THREAD
from tests.sandbox import RunningSandbox, running_sandbox
from tests.workers import signal_handlers

# What migrations and `post_migrate` put there, and no test changes for good.
REFERENCE_TABLES = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}

E2E_FOLDERS = ("browser", "chaos", "docs", "end_to_end", "install", "bench")
SLOW_MODULES = (
    *(
        "console/test_demo",
        "console/test_devservers",
        "console/test_gunicorn",
        "console/test_pytest_embedded",
    ),
    *(
        "console/test_settings",
        "conversion/test_properties",
        "conversion/test_short_ways",
        "archive/test_large",
    ),
    *("engine/test_faults", "engine/test_kills", "engine/test_doubts", "mutation/test_mutants"),
    *("admin/test_hostile_addresses", "imports/test_other_talks", "imports/test_holding", "test_memory"),
)


def pytest_configure() -> None:
    """Hear Ctrl-C where the shell that started the tests in the background has them ignore it.

    What tests start would ignore it too, and some of that is to end by it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the inner loop leaves out (``make test-fast``), and put it first.

    A file is given to one process as a whole (``--dist loadfile``), so those that take long must not begin last.
    """
    tests = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(tests)
        if path.parts[0] in E2E_FOLDERS:
            item.add_marker(pytest.mark.e2e)
        if path.with_suffix("").as_posix().endswith(SLOW_MODULES):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("e2e", "slow"))))


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    """A worker within a test ends with it (``tests.workers``).

    Otherwise its heartbeat is alive, and its way to stop is called, in all later tests of this process.
    """
    before = signal_handlers()
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == HEARTBEAT_THREAD]
    assert signal_handlers() == before


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[RunningSandbox]:
    """The sandbox of all tests in this process."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(one_sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """An empty sandbox that the environment names as source and target, and that nobody has called yet."""
    one_sandbox.control.reset()
    queue_named().connection.flushdb()  # what the limiter knows of this address
    monkeypatch.setenv("OPENAI_BASE_URL", one_sandbox.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-target")
    monkeypatch.setenv("SOURCE_API_KEY", "sk-test-source")
    monkeypatch.delenv("OPENAI_ORG_ID", raising=False)
    monkeypatch.delenv("OPENAI_PROJECT_ID", raising=False)
    monkeypatch.delenv("SOURCE_AUTH", raising=False)
    return one_sandbox


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the flush after a transactional test empty the tables that keep their rows, and only those that have any.

    Only TRUNCATE, and only in test databases; tests/migration_app/models/test_guards.py switches it on again.
    Django's own flush truncates every table and fills the reference tables anew: most of such a test's time.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for model in GUARDED:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} DISABLE TRIGGER console_keep_truncate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", emptying)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_args, **_options: None)
        yield


def emptying(
    style: Style, database: BaseDatabaseWrapper, *, reset_sequences: bool = True, allow_cascade: bool = False
) -> list[str]:
    """Return the statements that empty the tables with rows in them, in the shape of Django's ``sql_flush``."""
    tables = sorted(set(database.introspection.django_table_names(only_existing=True)) - REFERENCE_TABLES)
    quoted = {table: database.ops.quote_name(table) for table in tables}
    with database.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (TABLE {name})" for t, name in quoted.items())
        )
        filled = [quoted[table] for (table,) in cursor.fetchall()]
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        may_skip_triggers = bool(cursor.fetchone()[0])
    if not filled:
        return []
    guarded = {database.ops.quote_name(model._meta.db_table) for model in GUARDED}
    if not may_skip_triggers:
        return [f"TRUNCATE {', '.join(filled)} CASCADE"]
    cut = [f"TRUNCATE {', '.join(table for table in filled if table in guarded)} CASCADE"]
    return [
        "SET LOCAL session_replication_role = replica",
        *(f"DELETE FROM {table}" for table in filled if table not in guarded),
        *(cut if guarded.intersection(filled) else ()),
    ]
