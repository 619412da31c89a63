"""Selections of threads on pages: read from an address, and as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.http import QueryDict

from migration_app.admin.base.addresses import filters_of_address, pks_of_address
from migration_app.models import Assistant, Batch, Thread
from migration_app.threads.selections import (
    FILTERS,
    SelectionError,
    selection_of_filters,
    selection_of_pks,
    selection_threads,
)

THREADS = "thread"
"""Which rows a kept selection of threads holds."""

_NAMED_IDS = 3


def selection_of_address(params: QueryDict, *, but: Collection[str] = ()) -> dict[str, Any]:
    """Read which threads an address selects: those it names, else all that a list with its filters shows.

    SelectionError on a filter that a selection can't carry. Of a parameter given twice the last counts, and an empty
    one means no filter: as in the list itself. ``but``: parameters that are something else.
    """
    pks = pks_of_address(params, model=THREADS)
    if pks is not None:
        return selection_of_pks(pks)
    given = {
        name: str(value).replace("\x00", "") for name, value in filters_of_address(params, but=but).items()
    }
    search = given.pop("q", "")
    filters = {name: value for name, value in given.items() if value or name not in FILTERS}
    return selection_of_filters(filters, search=search)


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
