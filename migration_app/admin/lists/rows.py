"""Headings and rows of a list for its template.

Django-unfold's own row repeats half a kilobyte of classes in each cell; fifty rows of nine cells weigh a quarter of a
megabyte then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field, lookup_field
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import Model
from django.utils.html import format_html
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
class Cell:
    """One cell; the first that is not a box to tick heads its row."""

    name: str
    label: str
    html: str
    heads: bool = False


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


def rows(changes: BoundedChangeList) -> Iterator[list[Cell]]:
    """The cells of each row."""
    heads = headings(changes)
    for row in changes.result_list:
        yield list(_cells(changes, heads, row))


def _cells(changes: BoundedChangeList, heads: list[Heading], row: Model) -> Iterator[Cell]:
    headed = False
    for head in heads:
        if head.name == CHECKBOX:
            yield Cell(head.name, "", _checkbox(row))
            continue
        html = _value(changes, head.name, row)
        if not headed and changes.list_display_links is not None:
            html, headed = _linked(changes, row, html), True
            yield Cell(head.name, head.label, html, heads=True)
            continue
        yield Cell(head.name, head.label, html)


def _value(changes: BoundedChangeList, name: str, row: Model) -> str:
    """What a column shows, escaped by the template unless it is HTML already."""
    field, _attribute, value = lookup_field(name, row, changes.model_admin)
    if field is not None:
        value = display_for_field(value, field, _NOTHING)
    if isinstance(value, str):
        return value or _NOTHING
    return str(display_for_value(value, _NOTHING)) or _NOTHING


def _linked(changes: BoundedChangeList, row: Model, html: str) -> str:
    kept: dict[str, Any] = {"preserved_filters": changes.preserved_filters, "opts": changes.opts}
    url = add_preserved_filters(kept, changes.url_for_result(row))
    if isinstance(html, IdText):
        return html.linked(url)
    return format_html('<a class="mc-link" href="{}">{}</a>', url, html)


def _checkbox(row: Model) -> SafeString:
    return format_html(
        '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="Select {}">',
        ACTION_CHECKBOX_NAME,
        row.pk,
        row,
    )
