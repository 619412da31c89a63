"""Figures as they are shown: a median over interleaved rounds, its spread, and the goal beside it.

Standard library only.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """The figure's target, as in the project's goals."""

    what: str
    bound: float
    side: Literal["at least", "at most"]

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
        if len(self.values) == 1:
            return f"{_number(self.median)}{self.unit}"
        low, high = _number(min(self.values)), _number(max(self.values))
        return f"{_number(self.median)}{self.unit} ({low}–{high})"

    def verdict(self) -> str:
        """The goal and whether the median meets it; empty without one."""
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.side == "at least" else "≤"
        met = "met" if self.goal.met_by(self.median) else "MISSED"
        return f"{sign} {_number(self.goal.bound)}{self.unit}: {met}"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """One part of what is printed. Cells are figures or plain words."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Figure | str, ...], ...]
    notes: tuple[str, ...] = ()

    def goals(self) -> list[Figure]:
        """The figures that have a goal."""
        return [cell for row in self.rows for cell in row if isinstance(cell, Figure) and cell.goal]


def ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """Round by round, one value over the other."""
    return tuple(one / other for one, other in zip(over, under, strict=True))


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"
