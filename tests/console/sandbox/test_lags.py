"""Reads that lag behind: what lists show of appends and deletes that were answered, and of a new conversation."""

import pytest
from openai import NotFoundError, OpenAI

from console.sandbox.lags import View
from console.sandbox.rules import PageQuery
from console.sandbox.store import Shelf, Stored
from tests.sandbox import RunningSandbox

from .api import get, post, user
from .test_late import append, create, stored, wait_until

ALL = PageQuery(limit=100, order="asc")


def shelf(*names: str) -> Shelf:
    made = Shelf("item")
    for name in names:
        made.put(Stored(name, b"{}", "message"))
    return made


def seen(view: View, items: Shelf, now: float) -> str:
    return "".join(entry.id for entry in view.listed(items, now).page(ALL)[0])


def appended(kind: str, *, at: float = 0.0, names: str = "abc") -> tuple[View, Shelf]:
    view, items = View(), shelf(*names)
    view.appended(list(names), {kind: 6.0}, at)
    return view, items


@pytest.mark.parametrize(
    ("kind", "lists"),
    [
        ("list_lag", ["", "", "", "", "abc"]),
        ("list_grows", ["", "a", "a", "ab", "abc"]),
        ("list_newest_first", ["", "c", "c", "bc", "abc"]),
        ("list_flickers", ["abc", "", "", "", "abc"]),
    ],
)
def test_append_shows_in_lists_bit_by_bit(kind: str, lists: list[str]) -> None:
    view, items = appended(kind)
    assert [seen(view, items, now) for now in (0.0, 2.0, 3.0, 5.0, 6.0)] == lists


@pytest.mark.parametrize("kind", ["list_lag", "list_grows"])
def test_what_follows_waits_for_what_lags_so_that_lists_only_grow(kind: str) -> None:
    view, items = appended(kind)
    items.put(Stored("d", b"{}", "message"))
    view.appended(["d"], {}, 0.0)
    assert [seen(view, items, now) for now in (0.0, 6.0)] == ["", "abcd"]


def test_what_follows_may_show_before_what_is_missing() -> None:
    view, items = appended("list_newest_first")
    items.put(Stored("d", b"{}", "message"))
    assert seen(view, items, 0.0) == "d"


@pytest.mark.parametrize(
    ("kind", "lists"),
    [("list_lag", ["abc", "abc", "abc", "ac"]), ("list_flickers", ["abc", "ac", "abc", "ac"])],
)
def test_deleted_item_still_shows_where_it_stood(kind: str, lists: list[str]) -> None:
    view, items = View(), shelf("a", "b", "c")
    place, entry = items.place("b"), items.remove("b")
    assert place is not None
    assert entry is not None
    view.removed(place, entry, {kind: 6.0}, 0.0)
    assert [seen(view, items, now) for now in (0.0, 3.0, 5.0, 6.0)] == lists


def test_item_deleted_while_it_lagged_is_gone() -> None:
    view, items = appended("list_lag")
    entry = items.remove("b")
    assert entry is not None
    view.removed(1, entry, {}, 1.0)
    assert [seen(view, items, now) for now in (1.0, 6.0)] == ["", "ac"]


def test_cursor_of_an_item_that_is_left_out_stays_valid() -> None:
    view, items = appended("list_newest_first")
    after_a = PageQuery(limit=100, order="asc", after="a")
    assert [entry.id for entry in view.listed(items, 2.0).page(after_a)[0]] == ["c"]


def test_append_is_answered_whole_and_its_items_are_there_by_id(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    sandbox.control.add_fault("list_lag", "POST .*/items", seconds=1000)
    (item,) = append(client, made, "a").json()["data"]
    assert get(client, f"/conversations/{made}/items")["data"] == []
    assert get(client, f"/conversations/{made}/items/{item['id']}") == item
    assert stored(sandbox, made) == 1


def test_list_shows_all_in_the_end(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("list_grows", "POST .*/items", seconds=0.2)
    append(client, made, "a", "b", "c")
    wait_until(lambda: len(get(client, f"/conversations/{made}/items")["data"]) == 3)


def test_lag_comes_on_top_of_another_fault(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_faults("list_lag:POST .*/items:seconds=1000;garbage:POST .*/items")
    append(client, made, "a")
    assert stored(sandbox, made) == 1
    assert get(client, f"/conversations/{made}/items")["data"] == []


def test_deleted_item_and_deleted_conversation_are_still_read(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    (item,) = append(client, made, "a").json()["data"]
    sandbox.control.add_fault("list_lag", "DELETE ", seconds=1000)
    client.conversations.items.delete(item["id"], conversation_id=made)
    client.conversations.delete(made)
    assert [shown["id"] for shown in get(client, f"/conversations/{made}/items")["data"]] == [item["id"]]
    assert get(client, f"/conversations/{made}")["id"] == made
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(item["id"], conversation_id=made)
    with pytest.raises(NotFoundError):
        append(client, made, "b")
    assert sandbox.control.state().deleted_conversations == 1


def test_new_conversation_is_unknown_to_reads_and_takes_appends(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.add_fault("read_lag", "POST /conversations$", seconds=1000)
    made = create(client)
    append(client, made, "a")
    for path in ("", "/items"):
        with pytest.raises(NotFoundError):
            get(client, f"/conversations/{made}{path}")
    assert stored(sandbox, made) == 1


def test_new_conversation_may_be_unknown_to_all(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("create_lag", "POST /conversations$", seconds=1000)
    made = create(client)
    with pytest.raises(NotFoundError):
        append(client, made, "a")
    assert stored(sandbox, made) == 0


def test_new_conversation_is_known_in_the_end(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("create_lag", "POST /conversations$", seconds=0.2)
    made = create(client)

    def known() -> bool:
        try:
            post(client, f"/conversations/{made}/items", {"items": [user("a")]})
        except NotFoundError:
            return False
        return True

    wait_until(known)
