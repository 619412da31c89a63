"""What ``manage.py reconcile`` prints and writes, and how it hears that it shall stop."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from migration_app.csv_files import csv_write
from migration_app.management.private_files import private_open
from migration_app.models import Reconciliation
from migration_app.reconciliation.records import discrepancies, scope_summary, totals_summary
from migration_app.reconciliation.report import (
    HEADER,
    check_rows,
    csv_rows,
    json_rows,
    kind_rows,
    report_json,
)


@contextlib.contextmanager
def stop_at_signals() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a flag, so that the current page is completed; the second one ends at
    once."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, hear)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def report_print(command: BaseCommand, row: Reconciliation, *, shown: int) -> None:
    """Print the checks, the kinds that were found with what to do, and the first discrepancies."""
    console = Console(file=cast("IO[str]", command.stdout))
    checks = Table(title=f"{str(row).capitalize()}: {scope_summary(row)}", title_justify="left")
    for name in ("check", "looked at", "at work", "errors", "warnings", "information"):
        checks.add_column(name, justify="left" if name == "check" else "right")
    for check in check_rows(row):
        counts = (check.looked, check.skipped, check.errors, check.warnings, check.information)
        checks.add_row(Text(f"{check.name}: {check.text}"), *(f"{count:,}" for count in counts))
    console.print(checks)
    for kind in kind_rows(row):
        console.print(Text(f"{kind.severity}: {kind.code}, {kind.count:,} times. {kind.title} {kind.advice}"))
    rows = (
        list(itertools.islice(discrepancies(row).iterator(chunk_size=shown + 1), shown + 1)) if shown else []
    )
    if rows:
        table = Table(show_lines=False)
        for name in ("severity", "code", "thread or subject", "claimed", "found"):
            table.add_column(name, overflow="fold")
        for found in rows[:shown]:
            subject = found.thread.thread_id if found.thread is not None else found.subject
            text = (found.severity, found.code, subject, found.claimed, found.found)
            table.add_row(*(Text(word) for word in text))
        console.print(table)
    if len(rows) > shown:
        console.print(Text(f"Only the first {shown:,} are shown: --csv FILE writes all of them."))
    console.print(Text(f"{row.get_state_display()}: {totals_summary(row)}"))


def report_csv(row: Reconciliation, path: Path) -> None:
    """Write every discrepancy to a file, through one beside it: a partial report never has the final name."""
    part = path.with_name(f"{path.name}.part")
    try:
        with private_open(part, encoding="utf-8", newline="") as file:
            csv_write(file, HEADER, csv_rows(row))
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}.") from error


def report_write_json(command: BaseCommand, row: Reconciliation) -> None:
    """Write the whole report to standard output as one JSON object, a discrepancy a line."""
    head = json.dumps(report_json(row), indent=1).removesuffix("\n}")
    command.stdout.write(f'{head},\n "discrepancies": [', ending="")
    for number, found in enumerate(json_rows(row)):
        command.stdout.write(f"{',' if number else ''}\n  {json.dumps(found, ensure_ascii=False)}", ending="")
    command.stdout.write("\n ]\n}")
