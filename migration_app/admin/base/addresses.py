"""Addresses of confirm pages: which rows were chosen in a list, and where Cancel leads, in a link that one can send.

Rows that match a list's filters are carried as these filters; ticked ones by their keys where they are few, else under
the key of a kept selection. A reason or any other typed text is never part of an address.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.model_admin import row_key
from migration_app.admin.lists.sheet import BELOW
from migration_app.threads.kept_selections import (
    KEPT_FOR,
    SelectionTooLargeError,
    selection_keep,
    selection_kept,
)
from migration_app.threads.selections import SelectionError

IDS, KEPT, BACK = "ids", "kept", "back"
MOST_IN_ADDRESS = 200
"""All rows that one page of a list can show; their keys fit the longest request line that servers take."""

_OF_LISTS = frozenset({"o", "p", "all", "e", BELOW, "_facets", "_popup", "_to_field", "_changelist_filters"})
_OWN = frozenset({IDS, KEPT, BACK})


def chosen_in_list(request: HttpRequest, *, model: str) -> dict[str, str]:
    """What an action of a list was asked for, as parameters of a confirm page. SelectionError if that can't be.

    A selection that is too long for an address is kept, which is all that is written.
    """
    back = {BACK: request.get_full_path()}
    if request.POST.get("select_across") == "1":
        return {**filters_of_address(request.GET), **back}
    ticked = [row_key(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)]
    return {**_by_key([pk for pk in ticked if pk is not None], model=model, request=request), **back}


def _by_key(pks: Sequence[int], *, model: str, request: HttpRequest) -> dict[str, str]:
    if len(pks) <= MOST_IN_ADDRESS:
        return {IDS: ",".join(str(pk) for pk in sorted(pks))}
    try:
        return {KEPT: selection_keep(model=model, pks=pks, actor=actor_of(request))}
    except SelectionTooLargeError as error:
        raise SelectionError(str(error)) from error


def pks_of_address(params: QueryDict, *, model: str) -> list[int] | None:
    """The rows that an address names one by one; None if it selects by filters. SelectionError for unreadable ones."""
    if KEPT in params:
        kept = selection_kept(model=model, key=str(params[KEPT]).replace("\x00", "")[:64])
        if kept is None:
            raise SelectionError(
                "This link names a selection that is not kept any more: links to many ticked rows last "
                f"{KEPT_FOR.days} days. Choose the rows again."
            )
        return kept
    if IDS not in params:
        return None
    texts = str(params[IDS]).split(",")
    pks = [pk for pk in map(row_key, texts) if pk is not None]
    if len(pks) != len(texts) or len(pks) > MOST_IN_ADDRESS:
        raise SelectionError(
            "The rows in this address can't be read. Go back to the list and tick them again."
        )
    return sorted(set(pks))


def filters_of_address(params: QueryDict, *, but: Collection[str] = ()) -> dict[str, str]:
    """The filters and the search of a list in a page's address, without how the list was paged and what pages add."""
    rest = _OF_LISTS | _OWN | set(but)
    return {name: str(params[name]) for name in params if name not in rest}


def address(url: str, params: Mapping[str, str]) -> str:
    """An address with its parameters."""
    return f"{url}?{urlencode(params)}".replace("%2C", ",") if params else url


def back_of_address(request: HttpRequest, default: str) -> str:
    """Where Cancel leads: the page that one came from, if the address names one of this console."""
    url = request.GET.get(BACK, "")
    home = reverse("admin:index")
    is_ours = url.startswith(home) and url.isprintable()
    return url if is_ours and url_has_allowed_host_and_scheme(url, allowed_hosts=None) else default
