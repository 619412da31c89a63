from __future__ import annotations

from collections.abc import Callable

import pytest

from migration_app.models import Thread
from migration_app.reconciliation.population import (
    POPULATIONS,
    bounds,
    next_pks,
    sample_pks,
)
from tests.factories import ThreadFactory

pytestmark = pytest.mark.django_db
RECORDS, TARGET = POPULATIONS["records"], POPULATIONS["target"]


def threads(count: int, **fields: object) -> list[int]:
    return [ThreadFactory.create(**fields).pk for _ in range(count)]


def sample(size: int, seed: int = 0) -> list[int]:
    return sample_pks(RECORDS, within=bounds(RECORDS), size=size, seed=seed, pieces=range(size))


def test_a_sample_takes_one_of_each_equal_piece() -> None:
    pks = threads(100)
    taken = [pks.index(pk) // 10 for pk in sample(10)]
    assert taken == list(range(10))


def test_the_same_seed_takes_the_same_and_another_one_takes_others() -> None:
    threads(100)
    assert sample(10) == sample(10)
    assert sample(10) != sample(10, seed=1)


def test_a_sample_as_large_as_the_estate_takes_every_row_once() -> None:
    pks = threads(23)
    assert sample(23) == pks
    assert sample(1_000) == pks


def test_a_sample_taken_page_by_page_is_the_same_as_one_taken_at_once() -> None:
    threads(50)
    within = bounds(RECORDS)
    pages = [
        sample_pks(RECORDS, within=within, size=20, seed=3, pieces=range(start, start + 5))
        for start in (0, 5, 10, 15)
    ]
    assert [pk for page in pages for pk in page] == sample(20, seed=3)


def test_pieces_without_rows_give_none() -> None:
    pks = threads(30)
    Thread.objects.filter(pk__in=pks[3:27]).delete()
    assert set(sample(10)) <= set(pks)
    assert len(sample(10)) == 2


def test_the_bounds_are_those_of_the_population() -> None:
    threads(3)
    assert bounds(TARGET) == (1, 0)
    (first,) = threads(1, status="verified")
    threads(3)
    (last,) = threads(1, status="backfilled")
    assert bounds(TARGET) == (first, last)


def test_the_whole_is_read_by_key_in_pages() -> None:
    pks = threads(5, status="verified")
    first = next_pks(TARGET, after=0, upto=pks[-1], size=3)
    assert [*first, *next_pks(TARGET, after=first[-1], upto=pks[-1], size=3)] == pks


def test_a_sample_takes_one_statement_however_large_it_is(
    django_assert_num_queries: Callable[[int], object],
) -> None:
    threads(40)
    within = bounds(RECORDS)
    with django_assert_num_queries(1):  # type: ignore[attr-defined]  # pytest-django's fixture has no type
        sample_pks(RECORDS, within=within, size=30, seed=0, pieces=range(30))
