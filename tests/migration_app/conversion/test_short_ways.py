"""What is done the short way because nearly all messages are plain ends where the long way does."""

from __future__ import annotations

import collections
import hashlib
import itertools
from collections.abc import Sequence
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.contracts import Difference, JsonObject, Policies
from migration_app.conversion.comparison import canonical
from migration_app.conversion.comparison.canonical import ItemsComparison, canonical_item, fingerprint
from migration_app.conversion.items import messages
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.messages import convert_message
from tests.migration_app.conversion.strategies import ANY_JSON, TEXTS, WORDS, damaged, policies
from tests.migration_app.conversion.test_properties import EVERY_ITEM, fixed

much = settings(fixed, max_examples=200)
NOTHING: st.SearchStrategy[Any] = st.sampled_from([None, "", [], {}, 0, False, "x"])
PLAIN: list[dict[str, Any]] = [
    {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1702014088,
        "completed_at": None,
        "run_id": None,
        "role": role,
        "status": status,
        "content": [
            {"type": "text", "text": {"value": text, "annotations": []}} for text in ("High", "wäter 🐟")
        ],
        "attachments": [],
        "metadata": {},
    }
    for role, status in itertools.product(("user", "assistant"), (None, "completed", "incomplete"))
]
SENT: list[dict[str, Any]] = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "High 🐟"}]},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": None,
        "content": [{"type": "output_text", "text": "water", "annotations": [], "logprobs": []}],
    },
    {"type": "message", "role": "developer", "content": [{"type": "text", "text": "x", "detail": None}]},
]


@st.composite
def nearly_plain(draw: st.DrawFn, sources: list[dict[str, Any]], names: str) -> dict[str, Any]:
    """A plain message, with up to two fields of it or of its parts set to something odd."""
    made = draw(damaged(sources)) if draw(st.booleans()) else dict(draw(st.sampled_from(sources)))
    for name in draw(st.lists(st.sampled_from(names.split()), max_size=2)):
        made[name] = draw(NOTHING | WORDS | ANY_JSON)
    content = made.get("content")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        part: dict[str, Any] = dict(content[0])
        part[draw(st.sampled_from(["type", "text", "annotations", "logprobs", "more"]))] = draw(
            NOTHING | WORDS | TEXTS
        )
        if draw(st.booleans()):
            made["content"] = [part, *content[1:]]
    return made


SOURCES = nearly_plain(PLAIN, "status metadata attachments file_ids id role content incomplete_details more")
ITEMS = nearly_plain(SENT + EVERY_ITEM, "status id role type content created_by more")


@much
@given(SOURCES, policies())
def test_a_plain_message_is_converted_as_any_other(message: dict[str, Any], chosen: Policies) -> None:
    context = Context(chosen)
    short = convert_message(message, 0, context)
    with mock.patch.object(messages, "_plain", return_value=None):
        long = convert_message(message, 0, context)
    assert short == long
    assert repr(short.bodies) == repr(long.bodies)


@much
@given(ITEMS)
def test_the_canonical_form_of_a_plain_message_is_that_of_any_other(item: dict[str, Any]) -> None:
    long = canonical._canonical(item)
    assert canonical_item(item) == long
    assert fingerprint([item]) == hashlib.sha256(canonical._sorted_json(long).encode() + b"\n").hexdigest()


@much
@given(ITEMS, ITEMS)
def test_two_items_are_the_same_if_their_canonical_forms_are(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    for one, other in ((first, second), (first, first | {"id": "msg_2", "created_by": None})):
        assert canonical._is_same(one, other) == (
            canonical._canonical_text(one) == canonical._canonical_text(other)
        )


def told_by_whole_lists(planned: Sequence[JsonObject], found: Sequence[JsonObject]) -> tuple[Any, ...]:
    """Position, missing, unplanned, and whether only the order differs: with everything in memory."""
    wanted, there = [[canonical._canonical_text(item) for item in items] for items in (planned, found)]
    same = sum(
        1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(wanted, there, strict=False))
    )
    missing = collections.Counter(wanted[same:]) - collections.Counter(there[same:])
    extra = collections.Counter(there[same:]) - collections.Counter(wanted[same:])
    return same, missing.total(), extra.total()


@much
@given(
    st.lists(st.sampled_from("abcdef"), max_size=8),
    st.lists(st.sampled_from("abcdef"), max_size=8),
    st.data(),
)
def test_pages_tell_what_whole_lists_tell(planned: list[str], found: list[str], data: st.DataObject) -> None:
    wanted, there = (
        [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            for text in texts
        ]
        for texts in (planned, found)
    )
    comparison = ItemsComparison(wanted)
    rest = there
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        comparison.see(rest[:size])
        rest = rest[size:]
    same, missing, extra = told_by_whole_lists(wanted, there)
    assert (comparison.same, comparison.seen) == (same, len(there))
    difference = comparison.difference()
    if wanted == there:
        assert difference is None
        return
    assert isinstance(difference, Difference)
    assert difference.position == same
    assert difference.expected == (canonical_item(wanted[same]) if same < len(wanted) else None)
    assert difference.found == (canonical_item(there[same]) if same < len(there) else None)
    assert ("in another order" in difference.text) == (missing == extra == 0)
    if missing + extra > 0 and not missing == extra == 1:
        assert (f"{missing} missing" in difference.text) == (missing > 0)
        assert (f"{extra} not planned" in difference.text) == (extra > 0)
    if missing == extra == 0:
        moved = next(at for at in range(same, len(there)) if there[at] == wanted[same])
        assert difference.text.endswith(f"stands as item {moved + 1}")
