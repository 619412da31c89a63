"""Addresses of confirm pages: what they carry, and where Cancel leads."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import RequestFactory

from migration_app.admin.base.addresses import (
    MOST_IN_ADDRESS,
    address,
    back_of_address,
    chosen_in_list,
    pks_of_address,
)
from migration_app.threads.selections import SelectionError

LIST = "/admin/migration_app/thread/"


def chosen(query: str = "", **posted: object) -> dict[str, str]:
    request = RequestFactory().post(f"{LIST}{query}", posted)
    request.user = User(username="ada", pk=7)
    return chosen_in_list(request, model="thread")


def test_ticked_rows_are_in_the_address_with_the_way_back() -> None:
    found = chosen("?status__exact=failed&p=3", _selected_action=["2", "1"])
    assert found == {"ids": "1,2", "back": f"{LIST}?status__exact=failed&p=3"}
    assert address("/x/", found).startswith("/x/?ids=1,2&back=%2Fadmin")


def test_all_that_match_are_carried_by_their_filters_without_how_the_list_was_paged() -> None:
    found = chosen("?status__exact=failed&q=u1&p=3&o=1", select_across="1", _selected_action=["1"])
    assert found == {
        "status__exact": "failed",
        "q": "u1",
        "back": f"{LIST}?status__exact=failed&q=u1&p=3&o=1",
    }


@pytest.mark.django_db
def test_more_rows_than_fit_an_address_are_kept_under_a_key() -> None:
    pks = list(range(1, MOST_IN_ADDRESS + 2))
    found = chosen(_selected_action=[str(pk) for pk in pks])
    assert set(found) == {"kept", "back"}
    assert pks_of_address(QueryDict(f"kept={found['kept']}"), model="thread") == pks


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["ids=", "ids=1,,2", "ids=-1", "ids=1,x", "kept=", "kept=%00"])
def test_rows_that_can_not_be_read_are_refused(query: str) -> None:
    with pytest.raises(SelectionError):
        pks_of_address(QueryDict(query), model="thread")


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        (f"{LIST}?p=2", f"{LIST}?p=2"),
        ("", "/admin/default/"),
        ("https://evil.example/admin/", "/admin/default/"),
        ("//evil.example/admin/", "/admin/default/"),
        ("/admin/\nx", "/admin/default/"),
        ("javascript:alert(1)", "/admin/default/"),
        ("/healthz", "/admin/default/"),
    ],
)
def test_cancel_leads_back_within_the_console_only(back: str, leads_to: str) -> None:
    request = RequestFactory().get("/admin/x/", {"back": back})
    assert back_of_address(request, "/admin/default/") == leads_to
