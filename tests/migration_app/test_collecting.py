"""The search for garbage cycles, done seldom."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from migration_app.collecting import seldom_collecting

OWN = (701, 11, 12)


@pytest.fixture(autouse=True)
def own_thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*OWN)
    yield
    gc.set_threshold(*before)


def test_cycles_are_searched_for_less_often_and_then_as_before() -> None:
    with seldom_collecting():
        assert gc.get_threshold()[0] > 10 * OWN[0]
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == OWN
    assert gc.get_freeze_count() == 0


def test_an_error_leaves_nothing_behind() -> None:
    with pytest.raises(KeyError), seldom_collecting():
        raise KeyError
    assert gc.get_threshold() == OWN


def test_what_asks_within_another_does_not_end_it() -> None:
    with seldom_collecting():
        with seldom_collecting():
            pass
        assert gc.get_threshold() != OWN
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == OWN


def test_threads_may_begin_and_end_in_any_order() -> None:
    begun, end = threading.Event(), threading.Event()

    def other() -> None:
        with seldom_collecting():
            begun.set()
            end.wait()

    thread = threading.Thread(target=other)
    with seldom_collecting():
        thread.start()
        begun.wait()
    assert gc.get_threshold() != OWN
    end.set()
    thread.join()
    assert gc.get_threshold() == OWN
