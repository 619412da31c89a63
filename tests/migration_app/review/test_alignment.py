"""Plan and reading, aligned: which rows differ, and what kind of difference that is in all."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.engine.reading import KeptItem
from migration_app.review.alignment import (
    ROWS_WITHOUT_TARGET,
    Alignment,
    Found,
    aligned,
    window_of_plan,
)


def item(text: str, item_id: str = "") -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **({"id": item_id} if item_id else {})}


def found(*texts: str | None, first: int = 0, total: int | None = None, metadata: Any = None) -> Found:
    """A reading of these texts; None for an item that was too large to keep."""
    items = [
        KeptItem(place, None if text is None else item(text, f"msg_{text}"), 1)
        for place, text in enumerate(texts, start=first)
    ]
    return Found(items, first, first + len(texts) if total is None else total, True, metadata)


def align(planned: str, reading: Found | None, *, first: int = 0, **options: Any) -> Alignment:
    texts = planned.split()
    given = {
        "total": first + len(texts),
        "sent": first + len(texts),
        "recorded": (),
        "metadata": None,
        **options,
    }
    return aligned([item(text) for text in texts], first=first, found=reading, **given)


def states(alignment: Alignment) -> str:
    return " ".join(row.state for row in alignment.rows)


@pytest.mark.parametrize(
    ("texts", "rows", "shape"),
    [
        ("a b c", "equal equal equal", "equal"),
        ("a b c d", "equal equal equal extra", "continued"),
        ("a b c a", "equal equal equal repeat", "continued"),
        ("a c", "equal missing equal", "missing_items"),
        ("a b", "equal equal missing", "missing_items"),
        ("a x c", "equal changed equal", "changed"),
        ("a b x c", "equal equal extra equal", "changed"),
        ("x a b c", "extra equal equal equal", "changed"),
        ("a b c c", "equal equal equal repeat", "continued"),
        ("", "missing missing missing", "missing_items"),
    ],
)
def test_each_kind_of_difference(texts: str, rows: str, shape: str) -> None:
    alignment = align("a b c", found(*texts.split()))
    assert (states(alignment), alignment.shape) == (rows, shape)


def test_without_a_reading_nothing_is_said_of_the_target() -> None:
    alignment = align("a b", None)
    assert (states(alignment), alignment.shape) == ("unread unread", "")


def test_a_conversation_that_is_gone_lacks_all_that_was_sent() -> None:
    alignment = align("a b", Found((), 0, 0, False, None))
    assert (states(alignment), alignment.shape) == ("missing missing", "gone")


def test_what_the_source_has_beyond_is_new_and_not_missing() -> None:
    alignment = align("a b c", found("a", "b"), sent=2)
    assert (states(alignment), alignment.shape) == ("equal equal new", "equal")


def test_equal_content_with_another_id_differs() -> None:
    alignment = align("a b", found("a", "b"), recorded=("msg_a", "msg_other"))
    assert (states(alignment), alignment.shape) == ("equal other_id", "changed")


def test_metadata_that_differs_is_a_change() -> None:
    alignment = align("a", found("a", metadata={"user": "u2"}), metadata={"user": "u1"})
    assert (alignment.metadata_differs, alignment.shape) == (True, "changed")
    assert not align("a", found("a", metadata={"user": "u1"}), metadata={"user": "u1"}).metadata_differs


def test_what_was_not_kept_is_not_called_missing() -> None:
    alignment = align("a b c d", found("a", "x", total=4))
    assert states(alignment) == "equal changed unread unread"
    assert alignment.unread_after == 2
    assert states(align("a b", found("a", None))) == "equal unread"


def test_places_count_from_the_beginning_of_the_conversation() -> None:
    alignment = align("y z", found("y", "w", first=80), first=80, total=200, sent=200)
    assert [row.planned for row in alignment.rows] == [80, 81]
    assert (alignment.before, alignment.planned_after) == (80, 118)


def test_the_window_of_the_plan_follows_the_reading_or_what_is_new() -> None:
    assert window_of_plan(sent=500, total=500, found=found("a", first=300, total=400)) == (
        300,
        301 + ROWS_WITHOUT_TARGET,
    )
    assert window_of_plan(sent=100, total=500, found=None) == (97, 97 + ROWS_WITHOUT_TARGET)
    assert window_of_plan(sent=5, total=5, found=None) == (0, 5)
