"""Figures as they are shown: a median over interleaved rounds, its spread, and the goal beside it.

Standard library only.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from typing import Literal

Side = Literal["at least", "at most"]


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """The figure's target, as in the project's goals."""

    what: str
    bound: float
    side: Side

    def met_by(self, value: float) -> bool:
        """Whether the value reaches the goal."""
        return value >= self.bound if self.side == "at least" else value <= self.bound


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One value a round, and its goal if it has one."""

    values: tuple[float, ...]
    unit: str = "×"
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    def text(self) -> str:
        """Median and, behind it, lowest and highest round."""
        return values_text(self.values, self.unit)

    def verdict(self) -> str:
        """The goal and whether the median meets it; empty without one."""
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.side == "at least" else "≤"
        met = "met" if self.goal.met_by(self.median) else "MISSED"
        return f"{sign} {_number(self.goal.bound)}{self.unit}: {met}"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """One part of what is printed. Cells are figures or plain text; the first of each row names it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Figure | str, ...], ...]
    notes: tuple[str, ...] = ()

    def figures(self) -> Iterator[tuple[str, str, Figure]]:
        """Every figure, with the names of its row (the row's first cell) and its column."""
        for row in self.rows:
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, Figure):
                    yield str(row[0]), column, cell

    def goals(self) -> list[Figure]:
        """The figures that have a goal."""
        return [figure for _row, _column, figure in self.figures() if figure.goal]


def values_text(values: Sequence[float], unit: str) -> str:
    """Median and, behind it, lowest and highest; one value alone."""
    middle = f"{_number(statistics.median(values))}{unit}"
    if len(values) == 1:
        return middle
    return f"{middle} ({_number(min(values))}–{_number(max(values))})"


def ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """Round by round, one value over the other."""
    return tuple(one / other for one, other in zip(over, under, strict=True))


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"
