from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "manage.py", "demo"]
SETTINGS = {"SECRET_KEY": "k" * 50, "DATABASE_URL": "postgresql://h/x", "REDIS_URL": "redis://h"}
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


@contextlib.contextmanager
def started(state: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A demo that serves: what it has said, and its process; terminated at the end."""
    process = subprocess.Popen(
        [*DEMO, "--port", "0", "--workers", "1", *options],
        cwd=ROOT,
        env=environment(state),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield (
            "".join(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout)),
            process,
        )
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A path with spaces that the account of a PostgreSQL started by root can reach: pytest's own can't be."""
    with tempfile.TemporaryDirectory(prefix="demo state ", dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "kept here"


@pytest.fixture(scope="module")
def demo(state: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with started(state) as said_and_process:
        yield said_and_process


def signed_in(said: str, name: str) -> urllib.request.OpenerDirector:
    """A browser without scripts, signed in as one of the demo's people."""
    login = address_in(said) + "admin/login/?next=/admin/"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.open(login).read().decode())
    password = re.search(r"the password of all four: (\S+)", said)
    assert token
    assert password
    form = {"username": name, "password": password[1], "csrfmiddlewaretoken": token[1]}
    browser.open(login, urlencode(form).encode())
    return browser


def answer_of(said: str) -> bytes:
    with urllib.request.urlopen(address_in(said) + "healthz") as answer:  # noqa: S310 - our own address
        return bytes(answer.read())


def address_in(said: str) -> str:
    return next(word for word in said.split() if word.startswith("http://localhost:"))


def test_the_demo_prints_address_and_login_and_serves(demo: tuple[str, subprocess.Popen[str]]) -> None:
    said, _ = demo
    assert "Log in as admin, approver (who approves" in said
    assert "the password of all four: " in said
    assert answer_of(said) == b"ok"


def test_the_demo_has_every_reason_for_a_review_and_open_decisions(
    demo: tuple[str, subprocess.Popen[str]],
) -> None:
    said, _ = demo
    browser = signed_in(said, "operator")
    queue = browser.open(address_in(said) + "admin/review/").read().decode()
    codes = set(re.findall(r"[?]code=(\w+)", queue))
    assert codes >= {
        "difference",
        "conversation_missing",
        "conversation_continued",
        "source_grown",
        "accepted_source_grown",
        "source_deleted",
    }
    board = browser.open(address_in(said) + "admin/").read().decode()
    assert "paused itself" in board
    assert "waits for a second person" in board


def test_a_second_demo_leaves_the_first_ones_data_alone_and_says_where_it_is(
    demo: tuple[str, subprocess.Popen[str]], state: Path
) -> None:
    said, _ = demo
    second = subprocess.run(
        [*DEMO, "--port", "0"],
        cwd=ROOT,
        env=environment(state),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "password" not in second.stdout
    assert f"A demo is running with this data at {address_in(said)}: use that one" in second.stderr
    assert "CONSOLE_STATE_DIR=" in second.stderr
    assert answer_of(said) == b"ok"


def test_a_demo_leaves_no_socket_in_the_home(demo: tuple[str, subprocess.Popen[str]]) -> None:
    _, process = demo
    named = {
        str(connection.laddr)
        for child in psutil.Process(process.pid).children(recursive=True)
        for connection in child.net_connections("unix")
    }
    assert named <= {""}


def test_the_demo_ends_its_children_and_keeps_its_data(state: Path) -> None:
    with started(state.with_name("ended here"), "--plain") as (_, process):
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.stdout is not None
        assert "Its data is kept" in process.stdout.read()
        process.wait()
        assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (["demo", "--port=99999"], "'99999' is not possible: use a port from 1 to 65535"),
        (["demo", "--workers=-2"], "'-2' is not possible: use a whole number from 0 to 256"),
        (["sandbox", "--port=99999"], "'99999' is not possible: use a port from 1 to 65535"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    text: list[str], reason: str, tmp_path: Path
) -> None:
    result = subprocess.run(
        [*DEMO[:-1], *text],
        cwd=ROOT,
        env=environment(tmp_path / "state") | SETTINGS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "state").exists()
