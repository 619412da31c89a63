"""What the commands that start a batch share: its options, selecting threads, waiting, starting workers."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from time import sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from migration_app.audit.command_line import command_actor
from migration_app.batches.batches import batch_create, throttle_check
from migration_app.batches.kinds import BatchKind, batch_eligible
from migration_app.batches.progress import batch_progress
from migration_app.contracts import Policies, policies_as_dict, policies_from, policy_choices
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue, workers_missing
from migration_app.models import Batch, BatchResult, Thread
from migration_app.models.batch import DEFAULT_WINDOW, MAX_WINDOW
from migration_app.threads.selections import selection_of_filters, selection_of_pks, selection_threads

_POLL_SECONDS = 0.5
_WORKER_END_SECONDS = 30
_ENDS: dict[str, str] = {
    Batch.State.FAILED: "Batch {batch.pk} failed: {batch.error_text}",
    Batch.State.WAITING: "Batch {batch.pk} waits for a second person: it must be approved on its page.",
    Batch.State.PAUSED: "Batch {batch.pk} is paused. {batch.held_text} `manage.py batch resume {batch.pk}` lets it "
    "go on.",
    Batch.State.CANCELLED: "Batch {batch.pk} is cancelled. {batch.held_text}",
}
"""States in which waiting for a batch makes no sense, and what is said then."""


def add_which_arguments(parser: CommandParser, *, verb: str) -> argparse._MutuallyExclusiveGroup:
    """Add --all, --thread and --status, one of which must be given; returns their group."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help=f"{verb} every thread that can be")
    which.add_argument("--thread", action="append", metavar="ID", help=f"{verb} this thread (repeatable)")
    which.add_argument("--status", choices=Thread.Status.values, help=f"{verb} the threads of one status")
    return which


def add_batch_arguments(parser: CommandParser, kind: BatchKind) -> None:
    """Add all options of a kind: the selection's, its policies and its own."""
    add_selection_arguments(parser, verb=kind.verb)
    if kind.converts:
        add_policy_argument(parser)
    for option in kind.options:
        parser.add_argument(f"--{option.flag}", dest=option.dest, action="store_true", help=option.flag_help)


def add_selection_arguments(parser: CommandParser, *, verb: str) -> None:
    """Add --all, --thread, --status, --reason, --window, --rpm, --urgent, --wait and --workers."""
    add_which_arguments(parser, verb=verb)
    add_throttle_arguments(parser)
    parser.add_argument("--reason", default="", help="why, for the audit trail")
    parser.add_argument(
        "--wait", action="store_true", help="wait until the batch is done, with a progress bar"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="start N workers for as long as this waits (needs --wait)",
    )


def add_throttle_arguments(parser: CommandParser) -> None:
    """Add --window, --rpm and --urgent, all of them None where they are not given."""
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help=f"calls in flight in each worker, 1 to {MAX_WINDOW} (default {DEFAULT_WINDOW})",
    )
    parser.add_argument(
        "--rpm",
        type=int,
        metavar="N",
        help="requests a minute, over all workers; 0: the target's limit (default)",
    )
    parser.add_argument(
        "--urgent",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="let workers take it before all other batches",
    )


def add_policy_argument(parser: CommandParser) -> None:
    """Add --policy NAME=CHOICE, repeatable."""
    names = "; ".join(f"{name}: {', '.join(choices)}" for name, choices in policy_choices().items())
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="NAME=CHOICE",
        help="what becomes of parts that the target has no place for (repeatable). "
        f"The first choice is the default. {names}",
    )


def policies_of(options: dict[str, Any]) -> Policies:
    """Read the policies that were chosen. CommandError says what may be chosen."""
    pairs = [text.partition("=") for text in options["policy"]]
    names = [name for name, _, _ in pairs]
    for text, (name, equals, choice) in zip(options["policy"], pairs, strict=True):
        if not (name and equals and choice):
            raise CommandError(
                f"--policy takes NAME=CHOICE, for instance assistant_images=block, not {text!r}."
            )
        if names.count(name) > 1:
            raise CommandError(f"--policy {name} is given twice: choose one.")
    try:
        return policies_from({name: choice for name, _, choice in pairs})
    except ValueError as error:
        raise CommandError(str(error)) from error


def selection_from(options: dict[str, Any]) -> dict[str, Any]:
    """Turn the options into a selection. CommandError names a thread that the console does not know."""
    if options["thread"]:
        wanted = set(options["thread"])
        known = dict(Thread.objects.filter(thread_id__in=wanted).values_list("thread_id", "pk"))
        missing = sorted(wanted - set(known))
        if missing:
            raise CommandError(f"Not in the console: {', '.join(missing)}. Import these threads first.")
        return selection_of_pks(list(known.values()))
    if options["status"]:
        return selection_of_filters({"status__exact": options["status"]})
    return selection_of_filters({})


def batch_run(command: BaseCommand, kind: BatchKind, options: dict[str, Any]) -> None:
    """Start a batch as the options say; with --wait, see it through, report by status and exit by how it ended."""
    if kind.command_reason and not options["reason"]:
        raise CommandError(f"Say why with --reason: {kind.command_reason}")
    judged = _judged(kind, options) if options["wait"] and kind.must_verify else None
    batch = batch_start(command, kind=kind, options=options)
    if not options["wait"]:
        return
    if judged is None:
        batch_report(command, batch)
    else:
        _report_verified(command, judged)


def batch_start(command: BaseCommand, *, kind: BatchKind, options: dict[str, Any]) -> Batch:
    """Start a batch as the options say and, with --wait, see it through. Returns the batch, freshly read."""
    if options["workers"] < 0 or (options["workers"] and not options["wait"]):
        raise CommandError("--workers takes a number and goes with --wait: the workers end when it does.")
    missing = workers_missing()
    if options["wait"] and missing and not options["workers"]:
        raise CommandError(f"{missing} With --wait, --workers N starts some.")
    speed: dict[str, Any] = {
        "window": DEFAULT_WINDOW if options["window"] is None else options["window"],
        "requests_per_minute": options["rpm"] or None,
    }
    try:
        throttle_check(**speed)
    except ValueError as error:
        raise CommandError(str(error)) from error
    chosen: dict[str, Any] = {option.name: True for option in kind.options if options[option.dest]}
    if kind.converts:
        chosen["policies"] = policies_as_dict(policies_of(options))
    batch = batch_create(
        **speed,
        urgent=bool(options["urgent"]),
        kind=kind.name,
        selection=selection_from(options),
        actor=command_actor(),
        reason=options["reason"] or f"manage.py {kind.name}",
        settings=chosen,
    )
    enqueue(BATCH_TASK, batch.pk)
    if batch.state == Batch.State.WAITING:
        said = _ENDS[Batch.State.WAITING].format(batch=batch)
        if options["wait"]:
            raise CommandError(said)
        command.stdout.write(said)
        return batch
    command.stdout.write(f"Batch {batch.pk} ({kind.name}) is started.")
    if missing and not options["wait"]:
        command.stderr.write(missing)
    if options["wait"]:
        with workers_running(options["workers"]) as workers:
            batch_wait(batch, workers)
    batch.refresh_from_db()
    return batch


def batch_wait(batch: Batch, workers: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    """Show progress until the batch is over.

    CommandError if it failed as a whole, if somebody or the breaker held it, or if every one of ``workers`` has
    ended before it.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(batch.kind, total=None)
        while True:
            batch.refresh_from_db(fields=["state", "error_text", "held_text", "taken_count"])
            progress = batch_progress(batch)
            if batch.state != Batch.State.PREPARING:
                bar.update(task, total=progress.taken, completed=progress.done)
            if batch.state in _ENDS:
                raise CommandError(_ENDS[batch.state].format(batch=batch))
            if batch.state == Batch.State.FINISHED:
                return
            if workers and all(worker.poll() is not None for worker in workers):
                raise CommandError(
                    f"The workers have ended before batch {batch.pk} was done. It is resumed as soon as "
                    "a worker runs: `manage.py rqworker`."
                )
            sleep(_POLL_SECONDS)


@contextlib.contextmanager
def workers_running(count: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Run ``count`` worker processes; in the end they finish what they hold, or are ended after 30 s."""
    workers = [subprocess.Popen(_worker_command(), cwd=settings.WORK_DIR) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(_WORKER_END_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _worker_command() -> list[str]:
    return [sys.executable, "-m", "console", "rqworker", "urgent", "default", "--verbosity", "0"]


def batch_report(command: BaseCommand, batch: Batch) -> None:
    """Print what became of the batch's threads. Exits with 1 if any of them needs somebody."""
    progress = batch_progress(batch)
    for result, threads in progress.by_result.items():
        command.stdout.write(f"{threads:>9}  {BatchResult.Result(result).label}")
    if progress.pending:
        command.stdout.write(f"{progress.pending:>9}  not done")
    if progress.trouble:
        command.stderr.write(
            f"{progress.trouble} threads ended with an error: open the batch's page to see which."
        )
        sys.exit(1)


def _judged(kind: BatchKind, options: dict[str, Any]) -> list[int]:
    """The threads whose end decides the exit code. They are fixed now: the batch is about to change statuses.

    Who names threads or a status wants to hear about each of them. Of --all, those that the batch leaves as they are
    would make every later call fail too; what another batch has at work still counts.
    """
    selected = selection_threads(selection_from(options))
    if options["all"]:
        selected = batch_eligible(kind.name, selected) | selected.exclude(pending_work="")
    return list(selected.values_list("pk", flat=True))


def _report_verified(command: BaseCommand, pks: list[int]) -> None:
    """Print these threads by status. Exits with 1 unless all are verified, or excluded."""
    rows = Thread.objects.filter(pk__in=pks).order_by().values_list("status").annotate(threads=Count("pk"))
    by_status = dict(rows.values_list("status", "threads"))
    for status, threads in sorted(by_status.items()):
        command.stdout.write(f"{threads:>9}  {Thread.Status(status).label}")
    if set(by_status) - {Thread.Status.VERIFIED, Thread.Status.EXCLUDED}:
        command.stderr.write("Not all threads are verified: open the console's dashboard to see why.")
        sys.exit(1)
