from __future__ import annotations

import pytest
from django.test import RequestFactory

from migration_app.admin.base.pagination import slice_of
from migration_app.spill import JSON, Gathering


@pytest.mark.parametrize(
    ("asked", "number"),
    [("", 1), ("2", 2), ("9", 3), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("9" * 5000, 1)],
)
def test_the_page_asked_for_is_kept_within_bounds(asked: str, number: int) -> None:
    request = RequestFactory().get("/", {"page": asked})
    assert slice_of(request, "page", list(range(25)), size=10).number == number


def test_the_links_keep_what_else_stands_in_the_address() -> None:
    request = RequestFactory().get("/", {"page": "2", "whole": "1"})
    page = slice_of(request, "page", list(range(25)), size=10)
    assert (page.first, page.last, list(page.rows)) == (11, 20, list(range(10, 20)))
    assert page.following == "?page=3&whole=1"


def test_an_empty_list_is_one_empty_page() -> None:
    page = slice_of(RequestFactory().get("/"), "page", [], size=10)
    assert (page.pages, page.first, page.last, page.following) == (1, 0, 0, "")


def test_rows_that_lie_in_a_file_are_counted_by_their_length() -> None:
    gathering = Gathering(JSON, spill=True)
    for number in range(25):
        gathering.append(number)
    page = slice_of(RequestFactory().get("/", {"page": "3"}), "page", gathering.sequence(), size=10)
    assert (page.total, page.pages, list(page.rows)) == (25, 3, [20, 21, 22, 23, 24])
