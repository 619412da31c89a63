"""The filters of a list: the chips of those that are set, and the sheet in which they are chosen.

The sheet is fetched when it is opened: what it offers (assistants, batches, error codes) weighs as much as the rows,
and takes queries of its own.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.utils.http import urlencode

from migration_app.admin.base.filters import ConsoleFilter

if TYPE_CHECKING:
    from migration_app.admin.base.paging import BoundedChangeList

BELOW = "below"
"""Query parameter of a scanned list: continue below this primary key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set; ``url`` shows the list without it."""

    name: str
    title: str
    value: str
    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A filter in the sheet. ``options``: none where a value is typed in."""

    title: str
    name: str
    value: str
    hint: str
    options: list[tuple[str, str]]
    is_typed: bool


def chips(changes: BoundedChangeList) -> list[Chip]:
    """The search and the filters that narrow a list now."""
    found = []
    if changes.query:
        found.append(Chip(SEARCH_VAR, "search", changes.query, _url_without(changes, SEARCH_VAR)))
    for spec in _filters(changes):
        value = spec.value()
        if value:
            name = str(spec.parameter_name)
            found.append(Chip(name, str(spec.title), spec.label_of(str(value)), _url_without(changes, name)))
    return found


def _url_without(changes: BoundedChangeList, name: str) -> str:
    """Not by get_query_string, which takes away all parameters that begin so."""
    left = sorted((param, values) for param, values in changes.filter_params.items() if param != name)
    return f"?{urlencode(left, doseq=True)}"


def choices(changes: BoundedChangeList) -> list[Choice]:
    """The filters of a list, with what each offers."""
    return [
        Choice(
            title=str(spec.title),
            name=str(spec.parameter_name),
            value=str(spec.value() or ""),
            hint=spec.hint,
            options=spec.offered(),
            is_typed=spec.options() is None,
        )
        for spec in _filters(changes)
    ]


def kept_params(changes: BoundedChangeList) -> dict[str, Any]:
    """What the address holds besides filters: search and order. Other filters begin at the first page."""
    left_out = {str(spec.parameter_name) for spec in _filters(changes)} | {PAGE_VAR, BELOW}
    return {name: value for name, value in changes.params.items() if name not in left_out}


def _filters(changes: BoundedChangeList) -> list[ConsoleFilter]:
    return [spec for spec in changes.filter_specs if isinstance(spec, ConsoleFilter)]
