"""Columns that many lists have: moments, badges, long ids, the beginnings of long texts.

Each is an attribute of an admin class, named in its ``list_display``: ``show_state = badge_column("state", …)``.
``order``: the field by which the list can be sorted at this column (``admin.base.paging``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from migration_app.admin.base.badges import Badge, badge_html
from migration_app.moments import moment_html

Column = Callable[[Any, Any], str]

_HEAD, _TAIL = 10, 4
"""Characters of a long id that a list shows: prefix and a few more tell kinds apart, the end tells ids apart."""


class IdText(SafeString):
    """A long id as HTML: shortened in its middle, whole in its title, with a button that copies it.

    The button can't stand inside a link, so a link goes around the text alone (``linked``).
    """

    whole: str

    def linked(self, url: str) -> SafeString:
        """The same, its text leading to a page."""
        return _id_html(self.whole, f'<a class="mc-link" href="{escape(url)}">', "</a>")


def id_text(whole: str) -> IdText:
    """Show an id; see IdText."""
    text = IdText(_id_html(whole))
    text.whole = whole
    return text


def _id_html(whole: str, before: str = "", after: str = "") -> SafeString:
    """An id's HTML, put together here: a list shows three in each row, and format_html takes four times as long.

    What the button copies is the title of the text before it (console.js).
    """
    title: str = escape(whole)
    shown = title
    if len(whole) > _HEAD + _TAIL + 1:
        shown = f"{escape(whole[:_HEAD])}…{escape(whole[-_TAIL:])}"
    return SafeString(
        f'<span class="mc-id">{before}<bdi class="mc-mono" title="{title}">{shown}</bdi>{after}'
        f'<button type="button" class="mc-copy-id" data-copy aria-label="Copy {title}" title="Copy"></button></span>'
    )


def column(description: str, show: Callable[[Any], str], *, order: str = "") -> Column:
    """A column that shows what a function makes of the row."""

    @admin.display(description=description, ordering=order or None)
    def display(_model_admin: Any, row: Any) -> str:
        return show(row)

    return display


def badge_column(description: str, badge_of: Callable[[Any], Badge | None], *, order: str = "") -> Column:
    """A coloured state or grade."""
    return column(description, lambda row: badge_html(badge_of(row)), order=order)


def id_column(description: str, field: str, *, none: str = "–", order: str = "") -> Column:
    """A long id of the row; ``none`` where it is empty."""

    def show(row: Any) -> str:
        whole = str(getattr(row, field) or "")
        return id_text(whole) if whole else none

    return column(description, show, order=order)


def moment_column(description: str, field: str, *, seconds: bool = False, order: str = "") -> Column:
    """When something was, in the person's zone."""
    return column(description, lambda row: moment_html(_moment(row, field), seconds=seconds), order=order)


def text_column(description: str, field: str, *, most: int = 0, order: str = "") -> Column:
    """A text of the row, cut after so many characters; then it is whole in its title."""

    def show(row: Any) -> str:
        text = str(getattr(row, field))
        if most and len(text) > most:
            return format_html('<span title="{}">{}…</span>', text, text[: most - 1])
        return text or "–"

    return column(description, show, order=order)


def _moment(row: Any, field: str) -> dt.datetime | None:
    moment: dt.datetime | None = getattr(row, field)
    return moment
