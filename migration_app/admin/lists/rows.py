"""Headings and rows of a list for its template.

Django-unfold's own row repeats half a kilobyte of classes in each cell; fifty rows of nine cells weigh a quarter of a
megabyte then. And no template makes the rows: its tags for so many cells take as long as the rest of the page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field, lookup_field
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import Model
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from migration_app.admin.base.columns import IdText

if TYPE_CHECKING:
    from migration_app.admin.base.paging import BoundedChangeList

CHECKBOX = "action_checkbox"
_NOTHING = "–"


@dataclasses.dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column. ``url``: sorts by it, empty where the list can't be; ``sorted``: as in aria-sort."""

    name: str
    label: str
    url: str = ""
    sorted: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    """A column's cells: what stands around each, and what is in it."""

    opening: SafeString
    closing: SafeString
    show: Callable[[Any], str]


def headings(changes: BoundedChangeList) -> list[Heading]:
    """The heads of a list's columns."""
    found = []
    for name in map(str, changes.list_display):
        if name == CHECKBOX:
            found.append(Heading(name, ""))
            continue
        label = str(label_for_field(name, changes.model, model_admin=changes.model_admin))
        label = label[:1].upper() + label[1:]
        if not changes.sorts(name):
            found.append(Heading(name, label))
            continue
        sort = changes.sort
        is_sorted = sort.column == name
        ascending = is_sorted and not sort.descending
        # A second click turns the order round.
        asked = f"-{name}" if ascending else name
        found.append(
            Heading(
                name,
                label,
                changes.get_query_string({ORDER_VAR: asked}),
                ("ascending" if ascending else "descending") if is_sorted else "none",
            )
        )
    return found


def rows(changes: BoundedChangeList) -> Iterator[SafeString]:
    """Each row of the page as HTML: its cells, of which the first that is not a box to tick heads it."""
    columns = list(_columns(changes))
    for row in changes.result_list:
        yield SafeString(
            "".join(
                f"{column.opening}{conditional_escape(column.show(row))}{column.closing}"
                for column in columns
            )
        )


def _columns(changes: BoundedChangeList) -> Iterator[_Column]:
    headed = changes.list_display_links is None
    for head in changes.headings:
        if head.name == CHECKBOX:
            yield _Column(SafeString('<td class="mc-list-tick">'), SafeString("</td>"), _checkbox)
            continue
        tag, scope, show = "td", "", _shower(changes, head.name)
        if not headed:
            headed, tag, scope, show = True, "th", SafeString(' scope="row"'), _linked(changes, show)
        opening = format_html('<{}{} class="field-{}" data-label="{}">', tag, scope, head.name, head.label)
        yield _Column(opening, format_html("</{}>", tag), show)


def _shower(changes: BoundedChangeList, name: str) -> Callable[[Any], str]:
    """What a column shows of a row: a method of the list's class, or a field of the row."""
    method = None if name == "__str__" else getattr(changes.model_admin, name, None)

    def show(row: Any) -> str:
        if method is not None:
            value = method(row)
        else:
            field, _attribute, value = lookup_field(name, row, changes.model_admin)
            value = value if field is None else display_for_field(value, field, _NOTHING)
        if isinstance(value, str):
            return value or _NOTHING
        return str(display_for_value(value, _NOTHING)) or _NOTHING

    return show


def _linked(changes: BoundedChangeList, show: Callable[[Any], str]) -> Callable[[Any], str]:
    """What a column shows, leading to the row's page and from there back to the list as it is."""
    kept = f"?{changes.preserved_filters}" if changes.preserved_filters else ""
    before, _zero, after = changes.url_for_result(changes.model(pk=0)).rpartition("/0/")

    def linked(row: Any) -> str:
        html, url = show(row), f"{before}/{row.pk}/{after}{kept}"
        if isinstance(html, IdText):
            return html.linked(url)
        return format_html('<a class="mc-link" href="{}">{}</a>', url, html)

    return linked


def _checkbox(row: Model) -> SafeString:
    return format_html(
        '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="Select {}">',
        ACTION_CHECKBOX_NAME,
        row.pk,
        row,
    )
