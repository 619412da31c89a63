from __future__ import annotations

import threading
import types

import pytest

from migration_app.contracts import Actor
from migration_app.tasks import turns
from migration_app.tasks.turns import Turn


def made(*, ends_at: float = 1e9, urgent: bool = False) -> Turn:
    return Turn(Actor("ada"), threading.Event(), ends_at, lambda: urgent, lambda _pk: None)


def test_a_stop_is_told_after_a_grace_from_when_it_was_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 1000.0}
    monkeypatch.setattr(turns, "time", types.SimpleNamespace(monotonic=lambda: clock["now"]))
    turn = made()
    is_over = turn.stopped_for(30)
    asked = [is_over()]
    clock["now"] = 2000.0
    turn.stop.set()
    for later in (0, 29, 30):
        clock["now"] = 2000.0 + later
        asked.append(is_over())
    assert asked == [False, False, False, True]


def test_a_turn_whose_time_is_up_continues_until_other_work_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 1000.0}
    monkeypatch.setattr(turns, "time", types.SimpleNamespace(monotonic=lambda: clock["now"]))
    waiting: list[str] = []
    asked: list[float] = []

    def others_wait() -> bool:
        asked.append(clock["now"])
        return bool(waiting)

    turn = made(ends_at=1010.0)
    turn.others_wait = others_wait
    assert not turn.is_over()
    clock["now"] = 1011.0
    assert not turn.is_over()
    assert not turn.is_over()
    assert asked == [1011.0]  # and again a second later: each time is a call to the queue
    waiting.append("job")
    clock["now"] = 1012.5
    assert turn.is_over()


def test_a_turn_is_over_when_its_time_is_up_when_it_is_stopped_and_when_urgent_work_waits() -> None:
    assert not made().is_over()
    assert made(ends_at=0.0).is_over()
    for urgent in (False, True):
        turn = made(urgent=urgent)
        turn.watch().progress(None)
        assert turn.is_over() is turn.watch().stop() is urgent
