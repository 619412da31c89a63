"""Selections of threads on pages: from a list's address to a signed form field and back, and as text.

A selection travels in a signed field, never as a list of all its ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core import signing
from django.http import QueryDict

from migration_app.admin.base.paging import BELOW
from migration_app.models import Assistant, Batch, Thread
from migration_app.threads.selections import (
    FILTERS,
    SelectionError,
    selection_of_filters,
    selection_threads,
)

_SALT = "migration_app.admin.selection"
_NOT_FILTERS = frozenset(
    {"o", "p", "q", "all", "e", BELOW, "_facets", "_popup", "_to_field", "_changelist_filters"}
)
_NAMED_IDS = 3


def selection_of_list(params: QueryDict) -> dict[str, Any]:
    """Select all that a list with these query parameters shows. SelectionError on a filter it can't carry.

    Of a parameter given twice the last counts, and an empty one means no filter: as in the list itself.
    """
    filters = {name: str(params[name]).replace("\x00", "") for name in params if name not in _NOT_FILTERS}
    filters = {name: value for name, value in filters.items() if value or name not in FILTERS}
    return selection_of_filters(filters, search=params.get("q", ""))


def selection_seal(selection: Mapping[str, Any]) -> str:
    """Write a selection for a form field."""
    return signing.dumps(dict(selection), salt=_SALT, compress=True)


def selection_unseal(text: str) -> dict[str, Any]:
    """Read it back. SelectionError if the form was changed on its way."""
    try:
        selection: dict[str, Any] = signing.loads(text, salt=_SALT)
    except signing.BadSignature as error:
        raise SelectionError(
            "The selection did not arrive whole. Go back to the list and start again."
        ) from error
    return selection


def selection_summary(selection: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Describe a selection to a person: what it is narrowed by."""
    if isinstance(selection.get("ids"), list):
        pks = selection["ids"]
        names = list(
            Thread.objects.filter(pk__in=pks[:_NAMED_IDS]).order_by("pk").values_list("thread_id", flat=True)
        )
        more = f" and {len(pks) - len(names):,} more" if len(pks) > len(names) else ""
        return [("Chosen one by one", ", ".join(names) + more)]
    if not isinstance(selection.get("filters"), dict):
        raise SelectionError("This is not a selection of threads.")
    text = [(_filter_name(name), _filter_value(name, value)) for name, value in selection["filters"].items()]
    if selection.get("search"):
        text.append(("Search", str(selection["search"])))
    return text or [("All threads", "no filter")]


def selection_check(selection: Mapping[str, Any]) -> None:
    """Raise SelectionError for filters whose values can't be values of their fields. Asks for no thread."""
    try:
        selection_threads(selection)
    except (ValueError, TypeError) as error:
        raise SelectionError(
            "A filter's value can't be read. Go back to the list and choose again."
        ) from error


def _filter_name(name: str) -> str:
    named = {"thread_id__exact": "Thread", "finding__exact": "Has finding"}
    return named.get(name) or FILTERS[name].removesuffix("_id").replace("_", " ").capitalize()


def _filter_value(name: str, value: str) -> str:
    if name == "assistant__id__exact":
        found = Assistant.objects.filter(pk=value).first()
        return str(found) if found else value
    if name == "batch__id__exact":
        found_batch = Batch.objects.filter(pk=value).first()
        return str(found_batch) if found_batch else value
    return value.replace("_", " ") if name in {"status__exact", "fidelity__exact"} else value
