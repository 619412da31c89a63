"""The processes that a section works with: the server, the guide's script, the console. Must not import Django."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import psutil

from bench.children import Child
from bench.measure import family_cpu, machine_cpu


class WrongWorkError(Exception):
    """A side did not do the work that it was measured by: the figures would mean nothing."""


class Case(NamedTuple):
    """What a section varies: messages a thread, latency in milliseconds, calls in flight (0: the run's window)."""

    messages: int
    latency: int
    window: int = 0

    def name(self) -> str:
        """Name its row."""
        flight = f", {self.window} in flight" if self.window else ""
        return f"{self.messages} messages, {self.latency} ms{flight}"


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: rounds, calls in flight, and a factor on the threads a round.

    ``cases``: instead of a section's own.
    """

    rounds: int = 5
    window: int = 64
    size: float = 1.0
    quick: bool = False
    cases: tuple[Case, ...] = ()

    def window_of(self, case: Case) -> int:
        """Calls in flight in this case."""
        return case.window or self.window


@dataclasses.dataclass(slots=True)
class Place:
    """What is running. ``postmaster`` is None where PostgreSQL is on another machine: its CPU can't be seen."""

    environment: Mapping[str, str]
    server_url: str
    guide: Child
    console: Child
    postmaster: int | None
    next_thread: int = 0

    def server(self, path: str, body: object = None) -> Any:
        """Ask the server's control side."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.server_url}/bench/{path}", data) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def server_reset(self, latency: float) -> None:
        """Empty the server; from now on it answers after ``latency`` seconds."""
        self.server("reset", {"latency": latency})

    def numbers(self, count: int) -> int:
        """Take so many numbers of threads that nobody had yet; returns the first."""
        self.next_thread += count
        return self.next_thread - count

    def say(self, text: str) -> None:
        """Report progress."""
        sys.stderr.write(f"… {text}\n")

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the machine, and of all that belongs to the benchmark."""
        ours = family_cpu(os.getpid())
        if self.postmaster and os.getpid() not in (
            parent.pid for parent in psutil.Process(self.postmaster).parents()
        ):
            ours += family_cpu(self.postmaster)
        return machine_cpu(), ours

    def postgres_cpu(self) -> float:
        """CPU seconds of PostgreSQL so far; 0 where it can't be seen."""
        return family_cpu(self.postmaster) if self.postmaster else 0.0


@contextlib.contextmanager
def place(environment: Mapping[str, str]) -> Iterator[Place]:
    """Start the three processes, each with its own interpreter, and end them."""
    with Child("bench.threads.server") as server:
        url = f"http://127.0.0.1:{int(server.line())}"
        env = {**environment, "OPENAI_BASE_URL": f"{url}/v1", "SOURCE_BASE_URL": f"{url}/v1"}
        with Child("bench.threads.guide", env) as guide, Child("bench.threads.console", env) as console:
            yield Place(env, url, guide, console, console.ask("about")["postmaster"])
