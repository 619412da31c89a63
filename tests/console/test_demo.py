from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "manage.py", "demo"]
OWN_SERVERS = {"DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "SECRET_KEY"}


def environment(state: Path) -> dict[str, str]:
    """As on a machine where nothing is configured."""
    return {name: value for name, value in os.environ.items() if name not in OWN_SERVERS} | {
        "CONSOLE_STATE_DIR": str(state)
    }


def test_the_whole_job_runs_without_browser_and_configuration(tmp_path: Path) -> None:
    result = subprocess.run(
        [*DEMO, "--once"], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Every thread that conversion lets pass is verified." in result.stdout
    assert "threads blocked, blocked" in result.stdout


@pytest.fixture
def state() -> Iterator[Path]:
    """A path with spaces that the account of a PostgreSQL started by root can reach: pytest's own can't be."""
    with tempfile.TemporaryDirectory(prefix="demo state ", dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "kept here"


def test_the_demo_prints_address_and_login_serves_and_ends_its_children(state: Path) -> None:
    process = subprocess.Popen(
        [*DEMO, "--port", "0", "--workers", "1"],
        cwd=ROOT,
        env=environment(state),
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(180, process.kill)
    watchdog.start()
    assert process.stdout is not None
    try:
        said = "".join(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout))
        address = next(word for word in said.split() if word.startswith("http://localhost:"))
        assert "the password of all three: " in said
        with urllib.request.urlopen(address + "healthz") as answer:  # noqa: S310 - our own address
            assert answer.read() == b"ok"
    finally:
        process.terminate()
        rest = process.stdout.read()
        process.wait(60)
        watchdog.cancel()
    assert "Its data is kept" in rest
