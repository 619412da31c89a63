"""A stacked bar: the parts of a whole, side by side, each with its colour and what it says. No queries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from django.template.loader import render_to_string
from django.utils.safestring import SafeString


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """One part. ``kind`` names its colour: good, trouble, review, done or waiting; ``percent``: its share."""

    label: str
    count: int
    kind: str
    percent: str = "0"

    @property
    def text(self) -> str:
        """What it says: "3 failed"."""
        return f"{self.count:,} {self.label}"


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """The parts that are not empty."""

    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """All of it, for those who do not see the bar."""
        return ", ".join(segment.text for segment in self.segments) or "nothing yet"


def bar_of(segments: Iterable[Segment]) -> Bar:
    """A bar of those parts that have a count."""
    there = [segment for segment in segments if segment.count > 0]
    whole = sum(segment.count for segment in there)
    return Bar(
        tuple(dataclasses.replace(segment, percent=f"{segment.count * 100 / whole:.2f}") for segment in there)
    )


def bar_html(bar: Bar) -> SafeString:
    """A bar for a list's cell."""
    return render_to_string("migration_app/base/bar.html", {"bar": bar, "small": True})
