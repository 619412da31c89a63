"""`make bench`: run the sections, print each table when it is measured, then every goal with what was reached.

    python -m bench [--quick] [--only NAME]… [--rounds N] [--window N] [--size FACTOR]
                    [--case MESSAGES,MS[,WINDOW]]… [--json FILE] [--against FILE]

Exit code 0 whenever everything could be measured: a goal missed is a figure, not an error.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.children import ChildError
from bench.comparison import compared
from bench.figures import Figure, Table
from bench.files import imports, plain_ways
from bench.measure import others_share
from bench.pages import admin
from bench.place import Case, Place, Scale, WrongWorkError, place
from bench.results import Result, ResultError, result_read
from bench.servers import PlaceError, environment
from bench.threads import backfill, growth, journal, large, reading, workers

SECTIONS: Mapping[str, Callable[[Place, Scale], Table]] = {
    "backfill": lambda here, scale: backfill.measure(here, scale, live=False),
    "live": lambda here, scale: backfill.measure(here, scale, live=True),
    "reading": reading.measure,
    "growth": growth.measure,
    "large": large.measure,
    "limit": workers.limit,
    "queue": workers.overhead,
    "journal": journal.results,
    "import": imports.measure,
    "files": plain_ways.measure,
    "admin": admin.measure,
}
NOT_QUICK = frozenset({"growth", "large", "admin"})
_QUICK_ROUNDS = 3
_WIDTH = 200
_QUIET = 0.1


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for."""
    options = _options(arguments)
    scale = Scale(
        rounds=options.rounds or (_QUICK_ROUNDS if options.quick else 5),
        window=options.window,
        size=options.size,
        quick=options.quick,
        cases=tuple(options.case),
    )
    names = options.only or [name for name in SECTIONS if not (options.quick and name in NOT_QUICK)]
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    try:
        with environment() as variables:
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
                env={**os.environ, **variables},
                check=True,
            )
            with place(variables) as here:
                result = _begun(here, options)
                console.print(f"{result.machine}. All figures are ratios of one run, unless a unit is given:")
                console.print("median (lowest–highest round).", highlight=False)
                goals: list[Figure] = []
                for name in names:
                    goals += _measured(name, here, scale, result, console)
                    if options.json:
                        result.write(options.json)
    except (PlaceError, ChildError, WrongWorkError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    if goals:
        _show(console, _goals(goals))
    if options.against:
        _show(console, compared(options.against, result))
    return 0


def _measured(name: str, here: Place, scale: Scale, result: Result, console: Console) -> list[Figure]:
    """Measure and show a section; returns the figures that have a goal."""
    before = here.cpu()
    table = SECTIONS[name](here, scale)
    others = others_share(before, here.cpu())
    result.add(name, table, others)
    _show(console, table)
    if others > _QUIET:
        console.print(_disturbed(others), highlight=False)
    return table.goals()


# --- the command line ---------------------------------------------------------------------------------


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What the console costs, as ratios.")
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds, in a few minutes")
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="this section; may be repeated"
    )
    parser.add_argument("--rounds", type=_positive, default=0, help="interleaved rounds (5; with --quick 3)")
    parser.add_argument(
        "--window", type=_positive, default=64, help="calls in flight (64, as the goals have it)"
    )
    parser.add_argument("--size", type=_factor, default=1.0, help="factor on the threads and rows of a round")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        type=_case,
        metavar="MESSAGES,MS[,WINDOW]",
        help="these cases of backfill, live and reading",
    )
    parser.add_argument("--json", type=_writable, metavar="FILE", help="write every figure with its rounds")
    parser.add_argument(
        "--against", type=_earlier, metavar="FILE", help="compare with a run that --json wrote"
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 < factor < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return factor


def _case(text: str) -> Case:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in {2, 3} or min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 40,100 or 40,100,128: MESSAGES,MS[,WINDOW]")
    if numbers[0] not in backfill.MESSAGES:
        raise argparse.ArgumentTypeError(
            f"messages a thread: one of {', '.join(map(str, backfill.MESSAGES))}"
        )
    return Case(*numbers)


def _writable(text: str) -> Path:
    """A file that can be written; said now, and not when everything is measured."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} can't be written: name a file in a folder that is there")
    return path


def _earlier(text: str) -> Result:
    try:
        return result_read(Path(text))
    except ResultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


# --- what is said -------------------------------------------------------------------------------------


def _begun(here: Place, options: argparse.Namespace) -> Result:
    shown = {
        "quick": options.quick,
        "rounds": options.rounds,
        "window": options.window,
        "size": options.size,
        "cases": [case.name() for case in options.case],
    }
    return Result(
        machine=_machine(here),
        commit=_commit(),
        began=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        options=shown,
    )


def _machine(here: Place) -> str:
    about = here.console.ask("about")
    durable = "synced to disk" if about["fsync"] == "on" else "NOT synced to disk"
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"PostgreSQL {about['version']} ({durable})"
    )


def _commit() -> str:
    """What git calls the code that is measured; "unknown" outside a repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607 - git, wherever it is
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _disturbed(others: float) -> str:
    return (
        f"Other work took {others:.0%} of the CPU that the machine spent meanwhile: "
        "on a quiet machine these figures differ."
    )


def _show(console: Console, table: Table) -> None:
    shown = RichTable(title=table.title, title_justify="left", caption="\n".join(table.notes))
    shown.caption_justify = "left"
    for column in table.columns:
        shown.add_column(column)
    for row in table.rows:
        shown.add_row(*(cell.text() if isinstance(cell, Figure) else cell for cell in row))
    console.print(shown, highlight=False)


def _goals(figures: Sequence[Figure]) -> Table:
    rows = tuple((figure.goal.what, figure, figure.verdict()) for figure in figures if figure.goal)
    return Table("Goals", ("what", "median (lowest–highest)", "goal"), rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
