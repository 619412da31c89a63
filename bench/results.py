"""A run as a file: every round of each figure, and what it was measured on. `--json` writes it, `--against` reads it.

Standard library only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figures import Table

FORMAT = "console bench, 1"


class ResultError(Exception):
    """A file holds no result that can be compared with; the text says which file and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """One figure of a run: a value a round. ``goal``: as it is shown, with whether it was met; empty without one."""

    section: str
    row: str
    column: str
    unit: str
    values: tuple[float, ...]
    goal: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same figure in another run."""
        return self.section, self.row, self.column


@dataclasses.dataclass(slots=True)
class Result:
    """One run. ``others``: the share of the machine's CPU that others took, by section."""

    machine: str
    commit: str
    began: str
    options: Mapping[str, Any]
    others: dict[str, float] = dataclasses.field(default_factory=dict)
    figures: list[Measured] = dataclasses.field(default_factory=list)

    def add(self, section: str, table: Table, others: float) -> None:
        """Take over the figures of a section."""
        self.others[section] = others
        self.figures += [
            Measured(section, row, column, figure.unit, figure.values, figure.verdict())
            for row, column, figure in table.figures()
        ]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all: a run that is ended early leaves the sections before."""
        beside = path.with_name(f"{path.name}.part")
        document = {"format": FORMAT, **dataclasses.asdict(self)}
        beside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)


def result_read(path: Path) -> Result:
    """Read a run that ``Result.write`` has written. ResultError for anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise ResultError(f"{path} holds no JSON: it is no file that --json wrote.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultError(f'{path} is no file that --json wrote: it does not say "format": "{FORMAT}".')
    try:
        return Result(
            machine=str(document["machine"]),
            commit=str(document["commit"]),
            began=str(document["began"]),
            options=dict(document["options"]),
            others={str(name): float(share) for name, share in document["others"].items()},
            figures=[_measured(figure) for figure in document["figures"]],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultError(f"{path} was cut or changed: {type(error).__name__}, {error}.") from error


def _measured(figure: Mapping[str, Any]) -> Measured:
    names = ("section", "row", "column", "unit", "goal")
    values = tuple(float(value) for value in figure["values"])
    if not values:
        raise ValueError(f"{figure['row']} has no values")
    return Measured(**{name: str(figure[name]) for name in names}, values=values)
