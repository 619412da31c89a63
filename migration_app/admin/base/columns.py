"""Columns that many lists have: moments, badges, the beginnings of long texts.

Each is an attribute of an admin class, named in its ``list_display``: ``show_state = badge_column("state", …)``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import admin

from migration_app.admin.base.badges import Badge, badge_html

Column = Callable[[Any, Any], str]


def column(description: str, show: Callable[[Any], str]) -> Column:
    """A column that shows what a function makes of the row."""

    @admin.display(description=description)
    def display(_model_admin: Any, row: Any) -> str:
        return show(row)

    return display


def badge_column(description: str, badge_of: Callable[[Any], Badge | None]) -> Column:
    """A coloured state or grade."""
    return column(description, lambda row: badge_html(badge_of(row)))


def moment_column(description: str, field: str, *, seconds: bool = False) -> Column:
    """When something was, UTC."""
    return column(description, lambda row: moment_text(getattr(row, field), seconds=seconds))


def text_column(description: str, field: str, *, most: int = 0) -> Column:
    """A text of the row, cut after so many characters."""

    def show(row: Any) -> str:
        text = str(getattr(row, field))
        return f"{text[: most - 1]}…" if most and len(text) > most else text or "–"

    return column(description, show)


def moment_text(moment: dt.datetime | None, *, seconds: bool = True) -> str:
    """A moment, UTC, or that there was none."""
    return f"{moment:{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}" if moment else "–"
