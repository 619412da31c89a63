"""Which mutants are tried, and what became of them. Imports only the standard library."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.mutations import Mutant, mutants_of

ROOMS = (
    *(
        "engine",
        "threads",
        "batches",
        "snapshots",
        "prompts",
        "reconciliation",
        "readiness",
        "trials",
        "audit",
    ),
    *("gateways", "imports", "archive", "conversion", "operation", "review", "tasks", "admin"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant: killed (by which test), timeout or survived."""

    mutant: Mutant
    outcome: str
    by: str = ""


def candidates(root: Path, rooms: Sequence[str]) -> list[Mutant]:
    """Every mutant of these rooms, in the order of paths and lines."""
    return [
        mutant
        for file in _sources(root, rooms)
        for mutant in mutants_of(str(file.relative_to(root)), file.read_text())
    ]


def _sources(root: Path, rooms: Sequence[str]) -> Iterator[Path]:
    """Modules and their statements."""
    for room in rooms:
        folder = root / "migration_app" / room
        yield from sorted([*folder.rglob("*.py"), *folder.rglob("*.sql")])


def drawn(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` of them, each kind as often as any other: names are many, returns few."""
    chance = random.Random(seed)  # noqa: S311 - no secret is made of it
    by_kind: dict[str, list[Mutant]] = collections.defaultdict(list)
    for mutant in mutants:
        by_kind[mutant.kind].append(mutant)
    for kind in by_kind.values():
        chance.shuffle(kind)
    chosen: list[Mutant] = []
    while len(chosen) < count and (left := sorted(kind for kind, them in by_kind.items() if them)):
        chosen.append(by_kind[chance.choice(left)].pop())
    return sorted(chosen, key=lambda mutant: (mutant.path, mutant.number))


def summary(
    results: Sequence[Result], *, seed: int | None, tree: str, failing: Sequence[str]
) -> dict[str, object]:
    """The result as JSON has it. A timeout is noticed too: with it no suite passes."""
    outcomes = collections.Counter(result.outcome for result in results)
    noticed = outcomes["killed"] + outcomes["timeout"]
    return {
        "seed": seed,
        "tree": tree,
        "total": len(results),
        **{outcome: outcomes[outcome] for outcome in ("killed", "timeout", "survived")},
        "percent": round(100 * noticed / len(results), 1) if results else None,
        "left_out": list(failing),
        "mutants": [
            {
                "path": result.mutant.path,
                "line": result.mutant.line,
                "kind": result.mutant.kind,
                "change": result.mutant.change,
                "outcome": result.outcome,
                "by": result.by,
            }
            for result in results
        ],
    }


def digest_of(root: Path, rooms: Sequence[str]) -> str:
    """Which code it was."""
    digest = hashlib.sha256()
    for file in _sources(root, rooms):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
