"""What is wrong with the command line is said before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "nowhere.json"], "nowhere.json can't be read: No such file or directory."),
        (["--against", "Makefile"], "Makefile holds no JSON: it is no file that --json wrote."),
        (["--json", "nowhere/run.json"], "can't be written: name a file in a folder that is there"),
        (["--json", "bench"], "bench can't be written"),
        (["--case", "40"], "'40' is not like 40,100 or 40,100,128"),
        (["--case", "40,x"], "is not like 40,100"),
        (["--case", "7,100"], "messages a thread: one of 10, 40, 400"),
        (["--rounds", "0"], "0 is not 1 or more"),
        (["--size", "-1"], "-1 is not above 0"),
    ],
)
def test_wrong_input_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_nothing_is_left_where_a_result_could_be_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--json", str(tmp_path / "run.json"), "--rounds", "0"])
    assert list(tmp_path.iterdir()) == []
