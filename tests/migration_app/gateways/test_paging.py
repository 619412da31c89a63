from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from migration_app.gateways import paging
from migration_app.gateways.connection import Answer
from migration_app.gateways.errors import GatewayError, Outcome, answer_too_large
from migration_app.gateways.paging import list_pages
from tests.migration_app.conftest import Run

Page = dict[str, Any]


class Api:
    """A connection that answers as a function of the query says, and notes what it was asked."""

    def __init__(self, page: Callable[[Mapping[str, Any]], Page]) -> None:
        self._page = page
        self.asked: list[dict[str, Any]] = []

    async def get(self, _path: str, query: Mapping[str, Any]) -> Answer:
        self.asked.append(dict(query))
        return Answer(b"", self._page(query), "req_1")


def read(run: Run, api: Api, include: list[str] | None = None) -> list[str]:
    """The ids of all that is listed."""

    async def all_of_it() -> list[str]:
        pages = list_pages(api, "/things", include=include)  # type: ignore[arg-type]  # only ``get`` is called
        return [entry["id"] async for page in pages for entry in page.value["data"] if "id" in entry]

    return run(all_of_it())


def circle(length: int, before: int = 0) -> Callable[[Mapping[str, Any]], Page]:
    """A list whose cursors walk in a circle, which begins after so many pages."""

    def page(query: Mapping[str, Any]) -> Page:
        place = int(query.get("after", 0)) + 1
        if place == before + length + 1:
            place = before + 1
        return {"data": [{"id": str(place)}], "has_more": True, "last_id": str(place)}

    return page


def row_of(count: int) -> Callable[[Mapping[str, Any]], Page]:
    """A list of things numbered from 0, cut as it is asked for."""

    def page(query: Mapping[str, Any]) -> Page:
        start = int(query.get("after", -1)) + 1
        stop = min(start + int(query["limit"]), count)
        return {"data": [{"id": str(place)} for place in range(start, stop)], "has_more": stop < count}

    return page


@pytest.mark.parametrize(("length", "before"), [(1, 0), (2, 0), (3, 0), (7, 5), (100, 3), (40, 300)])
def test_a_list_that_walks_in_a_circle_ends_with_an_error(run: Run, length: int, before: int) -> None:
    api = Api(circle(length, before))
    with pytest.raises(GatewayError) as caught:
        read(run, api)
    assert (caught.value.code, caught.value.text) == (
        "unreadable_answer",
        "The server's answer could not be read (a list that does not advance).",
    )
    assert len(api.asked) <= 3 * (length + before) + 2


def test_a_list_that_always_goes_on_ends_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_MOST_PAGES", 50)
    with pytest.raises(GatewayError, match="does not advance"):
        read(run, Api(circle(10**9)))


@pytest.mark.parametrize(
    "page",
    [
        {"data": [], "has_more": True},
        {"data": [], "has_more": True, "last_id": "a"},
        {"data": [{"id": None}], "has_more": True},
        {"data": ["a"], "has_more": True},
    ],
)
def test_a_page_that_says_it_goes_on_and_not_where_is_an_error(run: Run, page: Page) -> None:
    with pytest.raises(GatewayError, match="does not advance"):
        read(run, Api(lambda _query: page if "after" not in _query else {"data": []}))


@pytest.mark.parametrize("data", [None, {}, "a", {"data": []}])
def test_what_is_no_list_is_an_error(run: Run, data: object) -> None:
    with pytest.raises(GatewayError, match="no list"):
        read(run, Api(lambda _query: {"data": data}))


def test_a_long_list_is_read_whole(run: Run) -> None:
    api = Api(row_of(12_345))
    assert read(run, api) == [str(place) for place in range(12_345)]
    assert len(api.asked) == 124


def test_pages_that_are_too_large_are_asked_for_in_smaller_ones(run: Run) -> None:
    whole = row_of(230)

    def page(query: Mapping[str, Any]) -> Page:
        place = int(query.get("after", -1)) + 1
        if 100 <= place < 120 and query["limit"] > 1:
            raise answer_too_large(1, "")
        return whole(query)

    assert read(run, Api(page)) == [str(place) for place in range(230)]


def test_an_object_that_is_too_large_by_itself_is_an_error(run: Run) -> None:
    def page(_query: Mapping[str, Any]) -> Page:
        raise answer_too_large(1, "")

    api = Api(page)
    with pytest.raises(GatewayError) as caught:
        read(run, api)
    assert caught.value.code == "answer_too_large"
    assert [asked["limit"] for asked in api.asked] == [100, 10, 1]


@pytest.mark.parametrize("status", [400, 415, 422, 501])
def test_a_server_that_does_not_know_include_is_read_without_it(run: Run, status: int) -> None:
    def page(query: Mapping[str, Any]) -> Page:
        if "include" in query:
            raise GatewayError("refused", "", outcome=Outcome.NOTHING, permanent=True, status=status)
        return row_of(3)(query)

    assert read(run, Api(page), ["results"]) == ["0", "1", "2"]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 500])
def test_other_refusals_are_raised(run: Run, status: int) -> None:
    def page(_query: Mapping[str, Any]) -> Page:
        raise GatewayError("refused", "", outcome=Outcome.NOTHING, permanent=True, status=status)

    api = Api(page)
    with pytest.raises(GatewayError):
        read(run, api, ["results"])
    assert len(api.asked) == 1
