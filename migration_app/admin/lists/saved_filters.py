"""Filters of a list that a person keeps under a name: shown above the list, renamed, deleted.

What is kept is the list's address without its page, so it can be sent to somebody as it is.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.forms import ConsoleForm, text_field
from migration_app.models import SavedFilter

MOST_A_LIST = 30
"""Filters that a person keeps of one list."""

_LONGEST = 2_000


class SavedFilterForm(ConsoleForm):
    """What to do with a filter: ``save`` the list's address under a name, ``rename`` or ``delete`` one that is kept."""

    ACTS: ClassVar = (("save", "save"), ("rename", "rename"), ("delete", "delete"))

    act = forms.ChoiceField(choices=ACTS, widget=forms.HiddenInput)
    pk = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)
    name = text_field("Name", length=80)
    query = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """A filter that is kept needs a name."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("act") in {"save", "rename"} and not data.get("name"):
            self.add_error("name", "Give the filter a name.")
        return data


class SavedFilterRefusedError(ValueError):
    """It can't be kept so; the text says why."""


def saved_filters(request: HttpRequest, list_name: str) -> list[SavedFilter]:
    """The person's filters of a list, by name."""
    return list(_mine(request, list_name)[:MOST_A_LIST])


def kept_query(params: QueryDict, offered: frozenset[str]) -> str:
    """The part of a list's query string that is kept: its filters, its search and its order."""
    kept = QueryDict(mutable=True)
    for name in sorted(params):
        if name in offered or name in {SEARCH_VAR, ORDER_VAR}:
            value = str(params[name]).replace("\x00", "")
            if value:
                kept[name] = value
    return kept.urlencode()


def saved_filter_act(request: HttpRequest, list_name: str, data: dict[str, Any], query: str) -> str:
    """Do what the form asks for; returns what was done. SavedFilterRefusedError if it can't be."""
    rows, name = _mine(request, list_name), data["name"]
    try:
        with transaction.atomic():
            if data["act"] == "save":
                return _save(request, list_name, name, query)
            row = rows.filter(pk=data["pk"]).first()
            if row is None:
                raise SavedFilterRefusedError("There is no such filter any more.")
            if data["act"] == "delete":
                row.delete()
                return f"The filter “{row.name}” is deleted."
            rows.filter(pk=row.pk).update(name=name)
            return f"The filter is now called “{name}”."
    except IntegrityError as error:
        raise SavedFilterRefusedError(f"You have a filter “{name}” already. Choose another name.") from error


def _save(request: HttpRequest, list_name: str, name: str, query: str) -> str:
    if not query:
        raise SavedFilterRefusedError("Nothing is filtered: set a filter first.")
    if len(query) > _LONGEST:
        raise SavedFilterRefusedError("This filter is too long to be kept.")
    if _mine(request, list_name).count() >= MOST_A_LIST:
        raise SavedFilterRefusedError(f"You keep {MOST_A_LIST} filters of this list. Delete one first.")
    SavedFilter.objects.create(
        user_id=actor_of(request).user_id or 0, list_name=list_name, name=name, query=query
    )
    return f"The filter is saved as “{name}”."


def _mine(request: HttpRequest, list_name: str) -> QuerySet[SavedFilter]:
    return SavedFilter.objects.filter(user_id=actor_of(request).user_id or 0, list_name=list_name)
