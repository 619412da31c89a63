"""The demo's surroundings: embedded servers, a sandbox that stands in for both APIs, workers, a web server.

Everything binds to loopback; keys and passwords are made up at each start. Must not import Django: ``enter_demo`` is
called before there are settings. Nor what only requirements/development.txt brings: it says when that is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from console.command_options import count, port
from console.parent_death import ask_for_signal_on_parent_death

ROOT = Path(__file__).resolve().parent.parent
_ENTERED = "CONSOLE_DEMO_ENTERED"
_CONSOLE = (sys.executable, "-m", "console")
_START_SECONDS = 30
_END_SECONDS = 15
_DEFAULT_PORT = 8000
# The embedded servers' own wheels are missed, and named, by console.devservers: one can do without them.
_PACKAGES = ("gunicorn", "psutil", "starlette", "uvicorn")


class DemoError(Exception):
    """The demo can't continue; the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the demo's options."""
    parser.add_argument("--once", action="store_true", help="do the whole job without a browser, report, end")
    parser.add_argument(
        "--port", type=port, default=_DEFAULT_PORT, help="the web server's port (default: %(default)s)"
    )
    parser.add_argument(
        "--plain", action="store_true", help="only import the sample: no batches, no trouble to look at"
    )
    parser.add_argument("--workers", type=count, default=2, help="RQ workers to run (default: %(default)s)")


def enter_demo(arguments: Sequence[str]) -> None:
    """Run the command ``demo`` again inside its surroundings, unless it is in them already. Does not return then.

    The embedded servers start where DATABASE_URL or REDIS_URL is missing: with ``--once`` throw-away ones,
    otherwise those that keep their data from demo to demo. Help and wrong options end it before anything starts.
    """
    if os.environ.get(_ENTERED):
        return
    parser = argparse.ArgumentParser(
        prog="demo", description="Bring the console up with embedded servers, a sandbox and sample data."
    )
    add_arguments(parser)
    options, _django = parser.parse_known_args(arguments)
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        sys.exit(
            f"The demo needs packages that a server does without ({', '.join(missing)}): run `make demo` in a "
            "checkout, or install requirements/development.txt."
        )
    settings = {
        _ENTERED: "1",
        "CONSOLE_ENV_FILE": "",  # a developer's .env must not leak a real key or database into a demo
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DEBUG": "off",
        "HTTPS_ONLY": "off",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "LEASE_SECONDS": "30",
        "APPROVAL_ABOVE_THREADS": "20",  # so that a roll back of the sample can wait for a second person
    }
    volatile = ["--volatile"] if options.once else []
    command = [sys.executable, "-m", "console.devservers", "run", *volatile, "--"]
    os.chdir(ROOT)
    os.execve(  # noqa: S606 - our own program, no shell
        sys.executable,
        [*command, *_CONSOLE, "demo", *arguments],
        {**os.environ, **settings},
    )


@contextlib.contextmanager
def sandbox_running(seed: Path) -> Iterator[Mapping[str, str]]:
    """Run a sandbox process that serves ``seed`` as the source; yield the variables that lead to it."""
    command = [sys.executable, "-m", "console.sandbox", "--port", "0", "--seed", str(seed)]
    with _child(command, stdout=subprocess.PIPE) as process:
        url = _announced_url(process)
        yield {
            "OPENAI_API_KEY": f"sk-demo-{secrets.token_hex(8)}",
            "OPENAI_BASE_URL": url,
            "SOURCE_API_KEY": f"sk-demo-{secrets.token_hex(8)}",
            "SOURCE_BASE_URL": url,
        }


@contextlib.contextmanager
def workers_and_web(workers: int, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run RQ workers and the web server; yield the web server's process once it listens."""
    manage = [*_CONSOLE, "rqworker", "urgent", "default", "--verbosity", "0"]
    web = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:console.gunicorn_conf",
        "console.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--threads",
        "8",
        "--timeout",
        "0",
        "--log-level",
        "warning",
    ]
    with contextlib.ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(_child(manage))
        process = stack.enter_context(_child(web))
        _wait_until_listening(process, port)
        yield process


def free_port(wanted: int) -> int:
    """Return the wanted port, or another one if somebody has it."""
    for each in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", each))
            return int(probe.getsockname()[1])
    raise DemoError("no free port on 127.0.0.1")


def end_on_signals() -> None:
    """Make SIGTERM end the demo like Ctrl-C does, children first."""

    def leave(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)


@contextlib.contextmanager
def _child(command: Sequence[str], stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    # In a session of its own: Ctrl-C reaches the demo first, which then ends its children in order. If the demo
    # is killed they end too (on Linux): workers left behind would use a sandbox that is gone.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=stdout,
        start_new_session=True,
        preexec_fn=ask_for_signal_on_parent_death(signal.SIGTERM),  # noqa: PLW1509 - no threads here yet
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise DemoError(f"the web server did not start (exit code {process.poll()}): see its output above")


def _announced_url(process: subprocess.Popen[bytes]) -> str:
    """Read the sandbox's output until it says where it listens."""
    end = time.monotonic() + _START_SECONDS
    while process.stdout is not None and time.monotonic() < end:
        line = process.stdout.readline().decode(errors="replace").strip()
        if not line:
            break
        if line.startswith("Sandbox listens on "):
            return line.removeprefix("Sandbox listens on ")
    raise DemoError(f"the sandbox did not start (exit code {process.poll()}): see its output above")
