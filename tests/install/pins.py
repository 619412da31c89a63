"""Reads the files below requirements/: what is asked for (.in) and what is pinned for it (.txt)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
COMPILED = ("base", "production", "development", "uv")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One distribution of a compiled file."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name as indexes compare it."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> Version:
        """The one version that is allowed."""
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "=="
        return Version(specifier.version)

    def applies(self, environment: dict[str, str]) -> bool:
        """Say whether the distribution is installed in that environment."""
        return self.requirement.marker is None or self.requirement.marker.evaluate(environment)


def compiled(text: str) -> list[Pin]:
    """Return the pins of a compiled file."""
    pins = []
    for line in _logical_lines(text):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        pins.append(Pin(requirement=Requirement(requirement), hashes=tuple(hashes)))
    return pins


def asked_for(name: str) -> list[Requirement]:
    """Return what requirements/NAME.in asks for, with the files that it includes."""
    wanted = []
    for line in _logical_lines((REQUIREMENTS / f"{name}.in").read_text()):
        if line.startswith("-r "):
            wanted += asked_for(line.removeprefix("-r ").removesuffix(".in"))
        else:
            wanted.append(Requirement(line))
    return wanted


def _logical_lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if stripped := re.sub(r"(^|\s)#.*", "", line).strip():
            yield stripped
