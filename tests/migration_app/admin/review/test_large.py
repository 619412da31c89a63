"""Large threads on the review page: bounded queries, bounded rows, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from migration_app.admin.review import columns
from migration_app.models import Thread
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.review.conftest import page_url


def test_the_page_takes_no_more_queries_for_many_items(
    log_in: LogIn, differing: Callable[..., Thread], django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    texts = [f"text {number}" for number in range(120)]
    thread = differing(*(f"{text}!" for text in texts), planned=tuple(texts))
    client = log_in("operator")
    with django_assert_max_num_queries(40):
        response = client.get(page_url(thread))
    assert response.context["compared"].columns.differences == 120


def test_equal_stretches_are_folded_and_rows_without_room_are_counted(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    texts = [f"text {number}" for number in range(60)]
    client = log_in("operator")
    one = differing(*texts[:50], "another", *texts[51:], planned=tuple(texts))
    stretches = client.get(page_url(one)).context["compared"].columns.stretches
    assert [(stretch.folded, len(stretch.rows)) for stretch in stretches] == [
        (True, 49),
        (False, 3),
        (True, 8),
    ]
    many = differing(*(f"{text}!" for text in texts * 3), planned=tuple(texts * 3))
    page = client.get(page_url(many))
    assert page.context["compared"].columns.not_shown == 180 - columns.SHOWN
    assert "30 more differences not shown here" in page.content.decode()


def test_only_the_first_changed_texts_are_compared_word_by_word(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    texts = [f"text {number}" for number in range(columns.DIFFED + 5)]
    thread = differing(*(f"{text}!" for text in texts), planned=tuple(texts))
    rows = log_in("operator").get(page_url(thread)).context["compared"].columns.stretches[0].rows
    assert sum(row.diff is not None for row in rows) == columns.DIFFED
    assert all(row.planned.parts and row.target.parts for row in rows[columns.DIFFED :])


def test_an_item_that_is_too_large_to_keep_is_said_with_its_size(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    page = log_in("operator").get(page_url(differing("one", "x" * 300_000, "three")))
    rows = [row for stretch in page.context["compared"].columns.stretches for row in stretch.rows]
    (large,) = [row.target for row in rows if row.target and row.target.left_out]
    assert (large.number, large.label, large.parts) == (2, "item", [])
    size, said = large.left_out.split(" bytes: ")
    assert 300_000 < int(size.replace(",", "")) < 300_200
    assert said == "larger than what is kept of an item"
    assert large.left_out in page.content.decode()


def test_long_texts_are_cut_shorter_where_they_are_equal(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    texts = ("x" * 5_000, "y" * 5_000)
    page = log_in("operator").get(page_url(differing(texts[0], "z" * 5_000, planned=texts)))
    rows = [row for stretch in page.context["compared"].columns.stretches for row in stretch.rows]
    equal, changed = (row.planned.parts[0] for row in rows)
    assert 0 < len(equal.text) < len(changed.text) < 5_000
    assert [len(part.text) + part.cut for part in (equal, changed)] == [5_000, 5_000]
    assert rows[0].target.parts == []
    assert len(rows[1].target.parts[0].text) == len(changed.text)
    assert f"{equal.cut} more characters" in page.content.decode()
