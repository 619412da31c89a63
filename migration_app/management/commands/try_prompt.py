"""``manage.py try_prompt``: ask real user turns again of a prompt version, after telling what it costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.csv_files import csv_write
from migration_app.jobs import enqueue, workers_missing
from migration_app.management.private_files import private_open
from migration_app.management.reconciliations import stop_at_signals
from migration_app.models import PromptVersion, Thread, Trial, TrialResult
from migration_app.tasks.turns import Watch
from migration_app.trials.judging import (
    CSV_HEADER,
    JudgingRefusedError,
    trial_tally,
    verdict_rows,
)
from migration_app.trials.plan import (
    DEFAULT_TURNS,
    FIRST,
    LAST,
    MAX_THREADS,
    Settings,
    TrialPlan,
    TrialRefusedError,
    threads_named,
    trial_plan,
    version_named,
)
from migration_app.trials.tasks import TRIAL_TASK
from migration_app.trials.trials import (
    results_of,
    scratches_left,
    trial_clean,
    trial_create,
    trial_resume,
)
from migration_app.trials.work import trial_connections, trial_work

_STOPPED = 130
"""Exit code of a stopped command, as shells use it for Ctrl-C."""


class Command(BaseCommand):
    """Count, start with --yes, run here or in the queue, report without content."""

    help = (
        "Ask real user turns of threads again of a prompt version, on scratch conversations that are deleted "
        "afterwards. Without --yes it only estimates the calls and tokens. Answers are judged in the console. "
        "Exit code 1 if it stopped before every turn was asked, or left something at the target; 130 if it was stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which prompt, which threads, and the budget."""
        parser.add_argument("version", nargs="?", default="", help="clerk (its newest version) or clerk@3")
        parser.add_argument(
            "--against", default="", metavar="VERSION", help="compare blind with this version"
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--thread", action="append", metavar="ID", help="this thread (repeatable)")
        which.add_argument("--batch", type=int, metavar="N", help="the newest threads of this batch")
        which.add_argument("--status", choices=Thread.Status.values, help="the newest threads of this status")
        which.add_argument("--resume", type=int, metavar="ID", help="resume one that was stopped")
        which.add_argument("--clean", type=int, metavar="ID", help="try again to delete what one left")
        which.add_argument("--report", type=int, metavar="ID", help="only report how one ended")
        parser.add_argument(
            "--limit", type=int, default=10, help=f"threads at most (default 10, {MAX_THREADS})"
        )
        parser.add_argument("--turns", type=int, default=DEFAULT_TURNS, help="of each thread (default 20)")
        parser.add_argument("--first", action="store_true", help="the first turns instead of the last")
        parser.add_argument("--rounds", type=int, default=Settings().max_rounds, help="responses a turn")
        parser.add_argument(
            "--output", type=int, default=Settings().max_output_tokens, help="tokens a response"
        )
        parser.add_argument("--max-calls", type=int, help="budget (default: what was counted)")
        parser.add_argument("--max-tokens", type=int, help="budget (default: what was estimated)")
        parser.add_argument("--reason", default="", help="why, for the audit trail; needed to start")
        parser.add_argument("--yes", action="store_true", help="start: the estimate is accepted")
        parser.add_argument("--queue", action="store_true", help="have a worker do it, and do not wait")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write results and verdicts, no content")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Find or make the try-out, run it, report it."""
        try:
            row = self._row(options)
        except (TrialRefusedError, JudgingRefusedError) as error:
            raise CommandError(str(error)) from error
        if row is None:
            return
        if options["report"] is None:
            if options["queue"]:
                enqueue(TRIAL_TASK, row.pk)
                self.stdout.write(f"Try-out {row.pk} is in the queue; manage.py try_prompt --report {row.pk}")
                if text := workers_missing():
                    self.stderr.write(text)
                return
            with stop_at_signals() as stop:
                left = trial_work(
                    pk=row.pk, actor=command_actor(), apis=trial_connections(), watch=Watch(stop=stop)
                )
            if left:
                self.stderr.write(
                    f"It is not finished. Resume with: manage.py rqworker, or --queue --resume {row.pk}"
                )
                sys.exit(_STOPPED)
        row.refresh_from_db()
        self._report(row, options)

    def _row(self, options: dict[str, Any]) -> Trial | None:
        if options["report"] is not None:
            return _found(options["report"])
        if options["clean"] is not None:
            row = _found(options["clean"])
            if not trial_clean(pk=row.pk, actor=command_actor()):
                raise CommandError(f"Try-out {row.pk} left nothing that can be deleted.")
            return row
        if options["resume"] is not None:
            return self._resumed(_found(options["resume"]), options)
        return self._started(options)

    def _resumed(self, row: Trial, options: dict[str, Any]) -> Trial | None:
        max_calls = options["max_calls"] or row.max_calls
        max_tokens = options["max_tokens"] or row.max_tokens
        if not options["yes"]:
            self.stdout.write(
                f"Spent: {row.calls:,} calls, {row.tokens:,} tokens. It continues up to {max_calls:,} calls and "
                f"{max_tokens:,} tokens in all. Nothing was sent; add --yes and --reason to resume."
            )
            return None
        resumed = trial_resume(
            pk=row.pk,
            max_calls=max_calls,
            max_tokens=max_tokens,
            reason=options["reason"],
            actor=command_actor(),
        )
        if not resumed and row.state != Trial.State.QUEUED:
            raise CommandError(f"Try-out {row.pk} is {row.get_state_display()}: there is nothing to resume.")
        return row

    def _started(self, options: dict[str, Any]) -> Trial | None:
        version, against = version_named(options["version"]), version_named(options["against"])
        if version is None:
            raise CommandError("Name the prompt to try out, such as clerk or clerk@3.")
        chosen = Settings(
            turns=options["turns"],
            take=FIRST if options["first"] else LAST,
            max_rounds=options["rounds"],
            max_output_tokens=options["output"],
        )
        versions: list[PromptVersion] = [version] if against is None else [version, against]
        plan = trial_plan(threads=_threads(options), versions=versions, chosen=chosen)
        self._tell(plan)
        if not options["yes"]:
            self.stdout.write("Nothing was sent. Add --yes and --reason to start.")
            return None
        return trial_create(
            version_a=version,
            version_b=against,
            plan=plan,
            chosen=chosen,
            max_calls=options["max_calls"] or plan.costs.calls_most,
            max_tokens=options["max_tokens"] or plan.costs.tokens_most,
            reason=options["reason"],
            actor=command_actor(),
        )

    def _tell(self, plan: TrialPlan) -> None:
        costs = plan.costs
        self.stdout.write(
            f"{len(plan.turns):,} turns of {plan.threads:,} threads: {costs.creates:,} creates, "
            f"{costs.appends:,} appends, "
            f"{costs.responses_least:,} to {costs.responses_most:,} responses; afterwards at least "
            f"{costs.deletes_least:,} deletes and {costs.reads_least:,} reads. "
            f"At most {costs.tokens_most:,} tokens, estimated."
        )
        for what, count in sorted(plan.left_out.items()):
            self.stdout.write(f"Left out: {count:,} {what}.")

    def _report(self, row: Trial, options: dict[str, Any]) -> None:
        states = [
            (str(label), results_of(row).filter(state=state).count())
            for state, label in TrialResult.State.choices
        ]
        counts = ", ".join(f"{label}: {count:,}" for label, count in states if count)
        self.stdout.write(f"Try-out {row.pk} is {row.get_state_display()}. {counts}.")
        self.stdout.write(
            f"Spent: {row.calls:,} calls, {row.tokens:,} tokens, {row.cleaning_calls:,} reads and deletes. "
            f"{trial_tally(row).text}"
        )
        if options["csv"]:
            try:
                with private_open(options["csv"], newline="", encoding="utf-8") as file:
                    csv_write(file, CSV_HEADER, verdict_rows(row))
            except (OSError, JudgingRefusedError) as error:
                raise CommandError(f"The CSV could not be written: {error}") from error
        left = list(scratches_left(row)) if row.state not in (Trial.State.QUEUED, Trial.State.RUNNING) else []
        for scratch in left:
            self.stderr.write(
                f"Left at the target: {scratch} ({scratch.get_state_display()}). {scratch.left_behind}"
            )
        if row.error_text:
            self.stderr.write(row.error_text)
        if left or row.state in (Trial.State.STOPPED, Trial.State.FAILED):
            sys.exit(1)


def _threads(options: dict[str, Any]) -> tuple[Thread, ...]:
    if options["thread"]:
        return threads_named(options["thread"])
    rows = Thread.objects.select_related("batch").filter(snapshot_at__isnull=False).order_by("-pk")
    if options["batch"] is not None:
        rows = rows.filter(batch_id=options["batch"])
    if options["status"]:
        rows = rows.filter(status=options["status"])
    return tuple(rows[: max(0, min(options["limit"], MAX_THREADS))])


def _found(pk: int) -> Trial:
    row = Trial.objects.filter(pk=pk).first()
    if row is None:
        raise CommandError(f"There is no try-out {pk}.")
    return row
