from __future__ import annotations

from bench.figures import Figure, Goal, ratios
from bench.threads.workers import most_within


def test_a_figure_shows_its_median_and_its_spread() -> None:
    assert Figure((3.0, 1.0, 2.0)).text() == "2.00× (1.00–3.00)"


def test_a_goal_is_judged_by_the_median() -> None:
    at_least = Goal("faster", 20, "at least")
    assert Figure((19.0, 21.0, 22.0), goal=at_least).verdict() == "≥ 20.0×: met"
    assert Figure((19.0, 19.5, 22.0), goal=at_least).verdict() == "≥ 20.0×: MISSED"


def test_a_goal_may_bound_from_above() -> None:
    assert Figure((0.2,), unit="", goal=Goal("cpu", 0.2, "at most")).verdict() == "≤ 0.20: met"


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([4.0, 9.0], [2.0, 3.0]) == (2.0, 3.0)


def test_the_fullest_window_is_found_wherever_it_begins() -> None:
    assert most_within([0.0, 0.9, 1.0, 1.1, 1.8, 3.0], 1.0) == 4


def test_a_window_does_not_hold_its_own_end() -> None:
    assert most_within([0.0, 1.0, 2.0], 1.0) == 1
