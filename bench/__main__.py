"""`make bench`: run the sections, print each table when it is measured, then every goal with what was reached.

    python -m bench [--quick] [--only NAME]… [--rounds N] [--window N] [--size FACTOR]
                    [--case MESSAGES,MS]…

Exit code 0 whenever everything could be measured: a goal missed is a figure, not an error.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table as RichTable

from bench import backfill, files_and_pages, growth, journal, workers
from bench.children import ChildError
from bench.figures import Figure, Table
from bench.measure import others_share
from bench.place import Place, Scale, WrongWorkError, place
from bench.servers import PlaceError, environment

SECTIONS: Mapping[str, Callable[[Place, Scale], Table]] = {
    "backfill": lambda here, scale: backfill.measure(here, scale, live=False),
    "live": lambda here, scale: backfill.measure(here, scale, live=True),
    "growth": growth.measure,
    "limit": workers.limit,
    "queue": workers.overhead,
    "journal": journal.results,
    "files": files_and_pages.files,
    "admin": files_and_pages.admin_pages,
}
NOT_QUICK = frozenset({"growth", "admin"})
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
                console.print(_machine(here), highlight=False)
                goals: list[Figure] = []
                for name in names:
                    before = here.cpu()
                    table = SECTIONS[name](here, scale)
                    others = others_share(before, here.cpu())
                    goals += table.goals()
                    _show(console, table)
                    if others > _QUIET:
                        console.print(_disturbed(others), highlight=False)
    except (PlaceError, ChildError, WrongWorkError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    if goals:
        _show(console, _goals(goals))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What the console costs, as ratios.")
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds, in one or two minutes")
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="this section; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds (5; with --quick 3)")
    parser.add_argument("--window", type=int, default=64, help="threads in flight (64, as the goals have it)")
    parser.add_argument("--size", type=float, default=1.0, help="factor on the threads of a round")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        type=_case,
        metavar="MESSAGES,MS",
        help="these cases of backfill",
    )
    return parser.parse_args(arguments)


def _case(text: str) -> tuple[int, int]:
    messages, _, latency = text.partition(",")
    if int(messages) not in backfill.MESSAGES:
        raise argparse.ArgumentTypeError(
            f"messages a thread: one of {', '.join(map(str, backfill.MESSAGES))}"
        )
    return int(messages), int(latency)


def _machine(here: Place) -> str:
    about = here.console.ask("about")
    durable = "synced to disk" if about["fsync"] == "on" else "NOT synced to disk"
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"PostgreSQL {about['version']} ({durable}). All figures are ratios of one run: median (lowest–highest round)."
    )


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
