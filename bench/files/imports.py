"""Archive import against reading the same file alone, in megabytes of JSON for a second of CPU.

Must not import Django.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.children import Child
from bench.figures import Figure, Goal, Table, ratios
from bench.files.archives import SHAPES
from bench.place import Place, Scale, WrongWorkError

_THREADS = 3_000
_QUICK_THREADS = 600
_MB = 1_000_000
_GOAL_MB = 20
_KINDS = {"thread": "threads", "thread.message": "messages", "thread.run": "runs", "thread.run.step": "steps"}


def measure(place: Place, scale: Scale) -> Table:
    """Both in turns, for each shape that an archive usually has."""
    threads = round((_QUICK_THREADS if scale.quick else _THREADS) * scale.size)
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="console-bench-") as folder,
        Child("bench.files.archives") as archives,
        Child("bench.files.imports_console", place.environment) as console,
    ):
        for shape in SHAPES:
            path = str(Path(folder) / f"{shape.replace(' ', '-')}.jsonl.gz")
            held = archives.ask("write", path=path, threads=threads, shape=shape)
            rounds = [_round(place, archives, console, path, held) for _ in range(1 + scale.rounds)]
            rows.append(_row(shape, rounds[1:], held["bytes"]))  # the first warms up
            place.say(f"import: {shape} done")
    return Table(
        f"Archive import, {threads:,} threads: MB of JSON for a second of CPU",
        (
            "shape",
            "import",
            "goal",
            "with PostgreSQL's CPU",
            "reading alone",
            "import's CPU ÷ reading's",
            "a second on the clock",
            "memory grown",
        ),
        tuple(rows),
        (
            "Import: read, checked, hashed, stored and converted, as by manage.py import_archive, in one process.",
            "Reading alone: gzip and the standard library's JSON, line by line, nothing kept.",
        ),
    )


def _round(place: Place, archives: Child, console: Child, path: str, held: dict[str, int]) -> dict[str, Any]:
    """Read the file alone, then import it; seconds of each."""
    alone = archives.ask("read", path=path)
    console.ask("clear")
    before = place.postgres_cpu()
    done: dict[str, Any] = console.ask("import", path=path)
    postgres = place.postgres_cpu() - before
    for kind, name in _KINDS.items():
        if done["counts"].get(name) != held[kind]:
            raise WrongWorkError(f"{held[kind]:,} {name} are in the archive; imported: {done['counts']}")
    return {**done, "alone": alone["cpu"], "postgres": postgres}


def _row(shape: str, rounds: Sequence[dict[str, Any]], size: int) -> tuple[Figure | str, ...]:
    def rate(seconds: Sequence[float], goal: Goal | None = None) -> Figure:
        return Figure(tuple(size / _MB / one for one in seconds), unit=" MB", goal=goal)

    cpu = [one["cpu"] for one in rounds]
    alone = [one["alone"] for one in rounds]
    seen = any(one["postgres"] for one in rounds)
    imported = rate(cpu, Goal(f"archive import, {shape}, for a second of CPU", _GOAL_MB, "at least"))
    return (
        f"{shape}, {size / _MB:.0f} MB",
        imported,
        imported.verdict(),
        rate([one["cpu"] + one["postgres"] for one in rounds]) if seen else "not on this machine",
        rate(alone),
        Figure(ratios(cpu, alone)),
        rate([one["wall"] for one in rounds]),
        Figure(tuple(one["memory"] / _MB for one in rounds), unit=" MB"),
    )
