"""A run as a file, and one beside an earlier one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.comparison import NONE_SHOWN, compared, difference, ratio_text
from bench.figures import Figure, Goal, Table
from bench.results import Measured, Result, ResultError, result_read

GOAL = Goal("faster", 20, "at least")
TABLE = Table(
    "Backfill",
    ("case", "throughput", "goal", "CPU"),
    (("40 messages", Figure((19.0, 21.0, 22.0), goal=GOAL), "met", Figure((0.2, 0.3, 0.1))),),
)


def run(machine: str = "2 cores", commit: str = "1a2b") -> Result:
    return Result(machine, commit, began="2026-11-26 12:00 UTC", options={})


def measured(*values: float) -> Measured:
    return Measured("backfill", "40 messages", "CPU", "×", values)


def test_a_run_that_was_written_is_read_with_every_round(tmp_path: Path) -> None:
    result = run()
    result.add("backfill", TABLE, 0.25)
    result.write(tmp_path / "run.json")

    found = result_read(tmp_path / "run.json")

    assert found == result
    assert [(one.column, one.values, one.goal) for one in found.figures] == [
        ("throughput", (19.0, 21.0, 22.0), "≥ 20.0×: met"),
        ("CPU", (0.2, 0.3, 0.1), ""),
    ]
    assert found.others == {"backfill": 0.25}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("median 3×", "holds no JSON"),
        ("[1, 2]", "no file that --json wrote"),
        ('{"sections": {}}', "no file that --json wrote"),
        ('{"format": "console bench, 1", "machine": "2 cores"}', "was cut or changed: KeyError, 'commit'"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_name(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "earlier.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ResultError, match=r"earlier\.json.*") as caught:
        result_read(path)
    assert said in str(caught.value)


def test_a_figure_without_values_is_refused(tmp_path: Path) -> None:
    result = run()
    result.add("backfill", TABLE, 0.0)
    result.write(tmp_path / "run.json")
    document = json.loads((tmp_path / "run.json").read_text())
    document["figures"][0]["values"] = []
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(ResultError, match="40 messages has no values"):
        result_read(tmp_path / "run.json")


def test_rounds_that_overlap_show_no_difference() -> None:
    assert difference(measured(1.0, 2.0, 3.0), measured(2.5, 4.0, 5.0)) == NONE_SHOWN


def test_rounds_that_do_not_overlap_show_which_is_higher() -> None:
    assert difference(measured(1.0, 2.0), measured(2.5, 4.0)) == "higher"
    assert difference(measured(2.5, 4.0), measured(1.0, 2.0)) == "lower"


def test_one_round_shows_no_difference() -> None:
    assert difference(measured(1.0), measured(4.0, 5.0)) == "one round only"


def test_the_ratio_is_that_of_the_medians() -> None:
    assert ratio_text(measured(1.0, 2.0, 9.0), measured(3.0, 3.0, 4.0)) == "1.50×"
    assert ratio_text(measured(0.0), measured(3.0)) == "–"


def test_only_figures_that_both_runs_have_are_compared() -> None:
    earlier, now = run(machine="8 cores"), run(commit="3c4d")
    earlier.figures = [measured(1.0, 2.0)]
    now.figures = [measured(3.0, 4.0), Measured("backfill", "400 messages", "CPU", "×", (1.0,))]

    table = compared(earlier, now)

    assert table.title == "Against 1a2b, measured 2026-11-26 12:00 UTC"
    assert table.rows == (
        (
            "backfill: 40 messages",
            "CPU",
            "1.50× (1.00–2.00)",
            "3.50× (3.00–4.00)",
            "2.33×",
            "higher",
        ),
    )
    assert any("8 cores" in note for note in table.notes)
    assert "1 figures of this run are not in the earlier one." in table.notes
