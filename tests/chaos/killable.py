"""Servers and workers that are killed and started again: for fault tests and for the soak. Must not import Django."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

from console.devservers import postgres, processes, running, valkey, volatile_state

_PROJECT = Path(__file__).resolve().parents[2]
_FAMILY = "CONSOLE_WORKER_FAMILY"
_STOP_SECONDS = 60.0
_RESTART_PAUSE_SECONDS = 2.0


class Servers:
    """A PostgreSQL that keeps what it has confirmed, and a Valkey that comes back empty."""

    def __init__(self, state: Path, urls: Mapping[str, str]) -> None:
        self._state = state
        self.database_url = urls["DATABASE_URL"]
        self.redis_url = urls["REDIS_URL"]

    def kill_postgres(self) -> None:
        """Kill -9 all its processes."""
        processes.end(self._state, "postgres")

    def start_postgres(self) -> None:
        """Start it again where it was. It replays its log first."""
        self._same(postgres.start(self._state, volatile=False), self.database_url)

    def kill_valkey(self) -> None:
        """Kill -9, and lose all it had written."""
        processes.end(self._state, "valkey-server")
        shutil.rmtree(self._state / "valkey" / "appendonlydir")

    def start_valkey(self) -> None:
        """Start it again where it was, empty."""
        self._same(valkey.start(self._state, volatile=False), self.redis_url)

    def _same(self, url: str, before: str) -> None:
        if url != before:
            raise RuntimeError("Somebody took the server's port while it was down.")


@contextlib.contextmanager
def own_servers() -> Iterator[Servers]:
    """A pair of servers whatever the environment names; they sync to disk, so that a kill loses nothing confirmed."""
    named = {name: os.environ.pop(name, None) for name in ("DATABASE_URL", "REDIS_URL")}
    try:
        with volatile_state() as state, running(state, volatile=False) as urls:
            os.environ.update({name: url for name, url in named.items() if url})
            yield Servers(state.expanduser().resolve(), urls)
    finally:
        os.environ.update({name: url for name, url in named.items() if url})


class Workers:
    """Worker processes in numbered places. ``clocks``: by how many seconds the wall clock of each is wrong."""

    def __init__(self, environment: Mapping[str, str], *, sweep_seconds: int) -> None:
        self._environment = environment
        self._sweep_seconds = sweep_seconds
        self._places: list[tuple[subprocess.Popen[bytes], str, float]] = []

    def start(self, *, clock: float = 0.0, freezes: Sequence[str] = (), **environment: str) -> None:
        """Start one more. ``freezes``: at which boundaries it freezes itself, see ``tests.chaos.worker_process``.

        ``environment``: what is named otherwise than to the other workers. Who takes its place has none of both.
        """
        self._places.append(self._started(clock, freezes, environment))

    def kill(self, number: int, *, clock: float | None = None) -> None:
        """Kill -9 a worker and the job that it forked, as the machine's end would; a new one takes its place.

        ``clock``: by how many seconds the new one's wall clock is wrong; None: as the old one's was.
        """
        _, family, before = self._places[number]
        _kill_family(family)
        self._places[number][0].wait()
        self._places[number] = self._started(before if clock is None else clock)

    def stop(self, number: int) -> int:
        """SIGTERM, wait for its end, and start a new one in its place. Returns its exit code."""
        process, _, clock = self._places[number]
        process.send_signal(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
        self._places[number] = self._started(clock)
        return code

    def freeze(self, number: int) -> None:
        """SIGSTOP to all processes of a worker: a machine that is suspended, a container that is paused."""
        _, family, _ = self._places[number]
        frozen: set[int] = set()
        # Once more after the last was found running: one of them may have forked meanwhile.
        while running := [member for member in _family(family) if member.pid not in frozen]:
            for member in running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.suspend()
                frozen.add(member.pid)

    def is_frozen(self, number: int) -> bool:
        """Tell whether one of its processes is stopped, by us or by itself."""
        found = False
        for member in _family(self._places[number][1]):
            with contextlib.suppress(psutil.NoSuchProcess):
                found = found or member.status() == psutil.STATUS_STOPPED
        return found

    def thaw(self, number: int) -> None:
        """SIGCONT to all of them."""
        _, family, _ = self._places[number]
        for member in _family(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.resume()

    def tend(self) -> None:
        """Start again what ended by itself, after its job, as a service manager does."""
        for number, (process, family, clock) in enumerate(self._places):
            if process.poll() is not None:
                _kill_family(family)
                self._places[number] = self._started(clock)

    def wait_until(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Tend until the condition holds; TimeoutError if it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:.0f} s in vain for: {what}")
            self.tend()
            time.sleep(0.05)

    def close(self) -> None:
        """Leave nothing of them behind."""
        for process, family, _ in self._places:
            _kill_family(family)
            process.wait()
        self._places.clear()

    def _started(
        self, clock: float, freezes: Sequence[str] = (), own: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[subprocess.Popen[bytes], str, float]:
        family = uuid.uuid4().hex
        command = [sys.executable, "-m", "tests.chaos.worker_process"]
        command += ["--sweep", str(self._sweep_seconds), "--clock", str(clock)]
        command += ["--restart-pause", str(_RESTART_PAUSE_SECONDS)]
        command += [argument for freeze in freezes for argument in ("--freeze", freeze)]
        environment = {**os.environ, **self._environment, **own, _FAMILY: family}
        return subprocess.Popen(command, env=environment, cwd=_PROJECT), family, clock


def _family(family: str) -> list[psutil.Process]:
    """A job's process outlives a worker that quits by itself; it is known by what it inherited."""
    found = []
    for process in psutil.process_iter():
        # Gone meanwhile, or not ours to look at; psutil lets the kernel's own error through where both happen.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.environ().get(_FAMILY) == family:
                found.append(process)
    return found


def _kill_family(family: str) -> None:
    found = _family(family)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=10)
