"""``manage.py reconcile``: what the database claims against what the target, the source and the rows say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from migration_app.audit.command_line import command_actor
from migration_app.jobs import enqueue, workers_missing
from migration_app.management.reconciliations import (
    report_csv,
    report_print,
    report_write_json,
    stop_at_signals,
)
from migration_app.models import Reconciliation
from migration_app.reconciliation.estimate import calls_estimate
from migration_app.reconciliation.kinds import CHECKS, DEFAULT_CHECKS
from migration_app.reconciliation.records import (
    DEFAULT_SAMPLE,
    ReconciliationRefusedError,
    reconciliation_create,
    reconciliation_resume,
    totals,
)
from migration_app.reconciliation.review import review_ask, review_send
from migration_app.reconciliation.tasks import RECONCILIATION_TASK
from migration_app.reconciliation.work import reconcile_work
from migration_app.tasks.connections import connections_of_settings
from migration_app.tasks.turns import Watch

_S = Reconciliation.State
_STOPPED = 130
"""Exit code of a stopped command, as shells use it for Ctrl-C."""


class Command(BaseCommand):
    """Reconcile, and report. Exit code 1 if there is an error among what was found."""

    help = (
        "Compare the database with the target, a sample or the whole: reads only. "
        f"Checks: {'; '.join(f'{name}: {words}' for name, words in CHECKS.items())}. "
        "Exit code 1 if an error is found, 130 if it was stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of scope and report."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--sample",
            type=_positive,
            metavar="N",
            help=f"check N threads spread evenly over all (default: {DEFAULT_SAMPLE})",
        )
        which.add_argument("--whole", action="store_true", help="check every thread")
        which.add_argument("--resume", type=int, metavar="ID", help="resume one that was stopped or failed")
        which.add_argument("--report", type=int, metavar="ID", help="only report what an earlier one found")
        parser.add_argument("--seed", type=int, default=0, help="another number takes another sample")
        parser.add_argument(
            "--check", action="append", choices=tuple(CHECKS), help="only this check (repeatable)"
        )
        parser.add_argument(
            "--live", action="store_true", help="also ask the live source whether threads have grown"
        )
        parser.add_argument(
            "--quick", action="store_true", help="compare item ids with the recorded ones instead of content"
        )
        parser.add_argument("--window", type=_positive, default=16, metavar="N", help="reads in flight")
        parser.add_argument("--count", action="store_true", help="only estimate the calls")
        parser.add_argument("--queue", action="store_true", help="have a worker do it, and do not wait")
        parser.add_argument(
            "--review", action="store_true", help="send the threads that differ to review afterwards"
        )
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write every discrepancy to a CSV file")
        parser.add_argument("--json", action="store_true", help="write the report as JSON, and nothing else")
        parser.add_argument(
            "--show", type=int, default=50, metavar="N", help="print the first N discrepancies"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Find or make the reconciliation, run it, report it."""
        if options["report"] is not None:
            self._report(_found(options["report"]), options)
            return
        checks = {*(options["check"] or DEFAULT_CHECKS), *(["live"] if options["live"] else [])}
        if "live" in checks and not settings.SOURCE_BASE_URL and options["resume"] is None:
            raise CommandError("There is no live source to ask: set SOURCE_BASE_URL and SOURCE_API_KEY.")
        sample = None if options["whole"] else options["sample"] or DEFAULT_SAMPLE
        if options["resume"] is None:
            self._tell_calls(checks, sample, options)
            if options["count"]:
                return
        row = _resumed(options["resume"]) if options["resume"] is not None else _made(checks, sample, options)
        if options["queue"]:
            self._queue(row)
            return
        row = self._run(row)
        if options["review"] and row.state == _S.FINISHED:
            review_ask(
                pk=row.pk, reason=options["reason"] or "manage.py reconcile --review", actor=command_actor()
            )
            sent = review_send(pk=row.pk, actor=command_actor())
            self.stderr.write(f"{sent or 0:,} threads were sent to review.")
        self._report(row, options)

    def _tell_calls(self, checks: set[str], sample: int | None, options: dict[str, Any]) -> None:
        found = calls_estimate(checks=checks, sample_size=sample, seed=options["seed"])
        about = "" if found.exact else "about "
        text = f"{about}{found.target_calls:,} reading calls to the target for {about}{found.threads:,} conversations"
        if "live" in checks:
            text += f", {found.live_calls:,} to the live source"
        (self.stdout if options["count"] else self.stderr).write(f"{text[:1].upper()}{text[1:]}.")

    def _queue(self, row: Reconciliation) -> None:
        enqueue(RECONCILIATION_TASK, row.pk)
        self.stdout.write(f"Reconciliation {row.pk} is in the queue; manage.py reconcile --report {row.pk}")
        if text := workers_missing():
            self.stderr.write(text)

    def _run(self, row: Reconciliation) -> Reconciliation:
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with (
            stop_at_signals() as stop,
            Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar,
        ):
            task = bar.add_task("reconciling", total=None)

            def progress(now: Reconciliation) -> None:
                looked = now.counts.get(now.check_name, {}).get("looked", 0)
                bar.update(task, description=f"{now.check_name}: {looked:,} checked")

            watch = Watch(stop=stop, progress=progress)
            reconcile_work(
                pk=row.pk,
                actor=command_actor(),
                apis=connections_of_settings(),
                watch=watch,
                stopped=_S.STOPPED,
            )
        row.refresh_from_db()
        return row

    def _report(self, row: Reconciliation, options: dict[str, Any]) -> None:
        if options["csv"]:
            report_csv(row, options["csv"])
            self.stderr.write(f"{options['csv']} is written.")
        if options["json"]:
            report_write_json(self, row)
        else:
            report_print(self, row, shown=max(0, options["show"]))
        if row.state == _S.FAILED:
            raise CommandError(f"{row.error_text} Resume with: manage.py reconcile --resume {row.pk}")
        if row.state != _S.FINISHED:
            self.stderr.write(f"It is not finished. Resume with: manage.py reconcile --resume {row.pk}")
            sys.exit(_STOPPED)
        if totals(row)["error"]:
            sys.exit(1)


def _made(checks: set[str], sample: int | None, options: dict[str, Any]) -> Reconciliation:
    try:
        return reconciliation_create(
            checks=checks,
            sample_size=sample,
            seed=options["seed"],
            quick=options["quick"],
            window=options["window"],
            reason=options["reason"] or "manage.py reconcile",
            actor=command_actor(),
        )
    except ReconciliationRefusedError as error:
        raise CommandError(str(error)) from error


def _resumed(pk: int) -> Reconciliation:
    row = _found(pk)
    if not reconciliation_resume(pk=pk, actor=command_actor()) and row.state != _S.QUEUED:
        raise CommandError(f"Reconciliation {pk} is {row.get_state_display()}: there is nothing to resume.")
    return row


def _found(pk: int) -> Reconciliation:
    row = Reconciliation.objects.filter(pk=pk).first()
    if row is None:
        raise CommandError(f"There is no reconciliation {pk}.")
    return row


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above zero")
    return int(text)
