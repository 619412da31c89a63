"""What something cost: seconds on the clock and of CPU, of this process, of its children, of PostgreSQL.

Must not import Django.
"""

from __future__ import annotations

import resource
import time
from types import TracebackType

import psutil


class Spending:
    """`with Spending() as spent: …`, then `spent.seconds()`: wall and CPU, ended children's CPU included."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.cpu = 0.0

    def __enter__(self) -> Spending:
        self.wall, self.cpu = time.perf_counter(), _cpu()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, _cpu() - self.cpu

    def seconds(self) -> dict[str, float]:
        """Both, as JSON can carry them."""
        return {"wall": self.wall, "cpu": self.cpu}


def _cpu() -> float:
    used = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        used += usage.ru_utime + usage.ru_stime
    return used


def family_cpu(pid: int) -> float:
    """CPU seconds of a process, of its children that ended, and of those that run."""
    used = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:  # ended meanwhile: its parent has its seconds now, or never
            continue
        used += times.user + times.system + times.children_user + times.children_system
    return used


def others_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """How much of the machine's CPU others took between two samples (``machine_cpu``, our own seconds)."""
    return max(0.0, 1 - (after[1] - before[1]) / (after[0] - before[0])) if after[0] > before[0] else 0.0


def machine_cpu() -> float:
    """CPU seconds that the whole machine has spent on anything."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def postmaster_of(backend_pid: int) -> int | None:
    """The server process to which a connection's process belongs; None if PostgreSQL runs elsewhere."""
    try:
        backend = psutil.Process(backend_pid)
        parent = backend.parent()
        return parent.pid if parent and "postgres" in backend.name() else None
    except psutil.Error:
        return None
