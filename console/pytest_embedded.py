"""Pytest plugin: gives every test run a PostgreSQL and a Valkey of its own, before Django's settings are
read.

Loaded by `-p console.pytest_embedded` (pyproject.toml). DATABASE_URL or REDIS_URL in the environment are used
as they are. Must not import Django: pytest-django decides when that happens.
"""

import atexit
import contextlib
import os
from collections.abc import Generator
from urllib.parse import urlsplit

import pytest

from console import devservers

# What tests need besides the servers, so that they need no .env. A value from outside wins.
TEST_ENVIRONMENT = {
    "SECRET_KEY": "for-tests-only-for-tests-only-for-tests-only-for-tests-only",
    "DEBUG": "off",
    "OPENAI_API_KEY": "sk-test-no-real-key",
    # Tests count calls, and say themselves when a list may lag or a target is to be probed.
    "READ_PATIENCE_SECONDS": "0",
    "TARGET_PROBE_HOURS": "0",
}

_servers = contextlib.ExitStack()


@pytest.hookimpl(
    wrapper=True
)  # a wrapper runs before pytest-django's hook of this name, which reads the settings
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Start the servers, or in a worker of pytest-xdist, choose its part of them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        for name, value in TEST_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        _start_servers()
    else:
        os.environ["REDIS_URL"] = redis_url_of_worker(os.environ["REDIS_URL"], worker)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop the servers; pytest comes here after Ctrl-C too."""
    _servers.close()


def redis_url_of_worker(url: str, worker: str) -> str:
    """Return the URL of worker gwN's own database: N further than the database of `url`."""
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0) + int(worker.removeprefix("gw"))
    return parts._replace(path=f"/{number}").geturl()


def _start_servers() -> None:
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if not missing:
        return
    atexit.register(_close_in, os.getpid())  # pytest_unconfigure is left out when an early hook fails
    try:
        state = _servers.enter_context(devservers.volatile_state())
        urls = _servers.enter_context(devservers.running(state, volatile=True))
    except devservers.DevServerError as error:
        raise pytest.UsageError(str(error)) from error
    for name in missing:
        os.environ[name] = urls[name]
        _servers.callback(
            os.environ.pop, name, None
        )  # a second pytest.main() must not take it for an outside one


def _close_in(process: int) -> None:
    if os.getpid() == process:  # a forked child that ends by itself has this handler too
        _servers.close()
