"""The dashboard's last section: what people did, with a link to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from django.urls import NoReverseMatch, reverse

from migration_app.admin.operation.attention import age_of
from migration_app.operation.activity import Line, latest

SHOWN = 8

_PAGES: Mapping[str, str] = {
    "batch": "batch",
    "import": "sourceimport",
    "reconciliation": "reconciliation",
    "trial": "trial",
}
"""Subjects of the audit trail whose pages go by their number."""


@dataclasses.dataclass(frozen=True, slots=True)
class ActivityRow:
    """A line, how long ago it was, and where it leads."""

    line: Line
    age: str
    subject: str
    url: str


def activity_rows() -> list[ActivityRow]:
    """The newest lines."""
    return [ActivityRow(line, age_of(line.at), _subject(line), _url(line)) for line in latest(SHOWN)]


def _subject(line: Line) -> str:
    return f"{line.subject_kind.replace('_', ' ')} {line.subject_id}"


def _url(line: Line) -> str:
    if line.subject_kind not in _PAGES:
        return ""
    try:
        return reverse(f"admin:migration_app_{_PAGES[line.subject_kind]}_change", args=[int(line.subject_id)])
    except (NoReverseMatch, ValueError):
        return ""
