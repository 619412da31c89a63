"""Gunicorn as the guides start it: whose X-Forwarded-Proto is believed, and what is left on the disk."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.demo import free_port

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/deployment.md").read_text()


def documented() -> dict[str, list[str]]:
    """Gunicorn's arguments in each place that says how to start it."""
    guide = re.findall(r"^(?:ExecStart=/srv/console/)?\.venv/bin/gunicorn (.*)$", GUIDE, re.MULTILINE)
    image = re.search(r"^CMD (\[.*\])$", (ROOT / "docs/deploy/Dockerfile").read_text(), re.MULTILINE)
    assert image is not None
    assert len(guide) == 2
    return {
        "guide": shlex.split(guide[0]),
        "unit": shlex.split(guide[1]),
        "image": json.loads(image[1])[1:],
        "as before": ["console.wsgi", "--bind", "127.0.0.1:8000", "--threads", "8"],
    }


@contextlib.contextmanager
def serving(arguments: list[str], home: Path, **environment: str) -> Iterator[int]:
    """Serve with these arguments, on a port that is free."""
    port = free_port(0)
    at = arguments.index("--bind") + 1
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments[:at], f"127.0.0.1:{port}", *arguments[at + 1 :]],
        cwd=ROOT,
        env={
            **os.environ,
            "HOME": str(home),
            "CONSOLE_ENV_FILE": "",
            "ALLOWED_HOSTS": "localhost",
            "HTTPS_ONLY": "on",
            **environment,
        },
    )
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                status(port)
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def status(port: int, **headers: str) -> int:
    connection = http.client.HTTPConnection("localhost", port)
    connection.request(
        "GET", "/healthz", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    return connection.getresponse().status


@pytest.fixture(scope="module", params=["guide", "unit", "image", "as before"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    """Its port and its home, where nobody is trusted."""
    home = tmp_path_factory.mktemp("home")
    variables = {"TRUST_X_FORWARDED_PROTO": "off", "XDG_RUNTIME_DIR": str(home / "run")}
    with serving(documented()[request.param], home, **variables) as port:
        yield port, home


@pytest.mark.parametrize(
    "header", [{"X_Forwarded_Proto": "https"}, {"X_Forwarded_Ssl": "on"}, {"X_Forwarded_Protocol": "ssl"}]
)
def test_a_client_cannot_say_that_its_request_came_by_https(
    served: tuple[int, Path], header: dict[str, str]
) -> None:
    assert status(served[0], **header) == 301


def test_nothing_is_left_in_the_home(served: tuple[int, Path]) -> None:
    assert list(served[1].rglob("*")) == []


def test_a_proxy_can_where_it_is_trusted(tmp_path: Path) -> None:
    with serving(documented()["guide"], tmp_path, TRUST_X_FORWARDED_PROTO="on") as port:
        assert status(port, X_Forwarded_Proto="https") == 200
        assert status(port, X_Forwarded_Proto="http") == 301
        assert status(port) == 301
