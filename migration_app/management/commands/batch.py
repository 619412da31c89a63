"""``manage.py batch``: start batches of every kind and list them; pause, resume, cancel one, or change its throttle."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from rich.console import Console
from rich.table import Table

from migration_app.audit.command_line import command_actor
from migration_app.batches.control import (
    BatchRefusedError,
    batch_cancel,
    batch_change,
    batch_pause,
    batch_resume,
)
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.progress import batches_progress
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue
from migration_app.management.batches import add_batch_arguments, add_throttle_arguments, batch_run
from migration_app.models import Batch

_LISTED = 20


class Command(BaseCommand):
    """What the batch's page does, for scripts. Approving is missing on purpose: it takes a signed-in person."""

    help = "Start batches, list them; pause, resume or cancel one, or change its throttle while it runs."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add one subcommand for each act."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        kinds = acts.add_parser("start", help="start a batch").add_subparsers(
            dest="kind", required=True, metavar="KIND"
        )
        for kind in BATCH_KINDS.values():
            starting = kinds.add_parser(kind.name, help=kind.help, description=kind.help)
            add_batch_arguments(starting, kind)
        listing = acts.add_parser("list", help="show the newest batches")
        listing.add_argument("--state", choices=Batch.State.values, help="only those in this state")
        listing.add_argument("--limit", type=int, default=_LISTED, metavar="N", help="how many (default 20)")
        for name, text in (
            ("pause", "pause it after the current chunk"),
            ("resume", "resume a paused batch"),
            ("cancel", "take its work back from the threads that are not done"),
            ("change", "change its throttle while it runs"),
        ):
            act = acts.add_parser(name, help=text)
            act.add_argument("batch", type=int, metavar="BATCH", help="its number")
            if name == "change":
                add_throttle_arguments(act)
            else:
                act.add_argument(
                    "--reason", required=name != "resume", default="", help="why, for the audit trail"
                )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do the act; a CommandError says why it can't be done."""
        if options["act"] == "list":
            self._list(options)
            return
        if options["act"] == "start":
            batch_run(self, BATCH_KINDS[options["kind"]], options)
            return
        try:
            with transaction.atomic():
                said = _ACTS[options["act"]](options)
                if options["act"] != "pause":
                    enqueue(BATCH_TASK, options["batch"])
        except (BatchRefusedError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(said)

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit takes a number above zero.")
        batches = Batch.objects.order_by("-pk")
        if options["state"]:
            batches = batches.filter(state=options["state"])
        columns = (
            "batch",
            "kind",
            "state",
            "done",
            "results",
            "window",
            "rpm",
            "urgent",
            "by",
            "why it is held",
        )
        table = Table(*columns)
        shown = list(batches[: options["limit"]])
        found = batches_progress(shown)
        for batch in shown:
            progress = found[batch.pk]
            table.add_row(
                str(batch.pk),
                batch.get_kind_display(),
                batch.get_state_display(),
                f"{progress.done} of {progress.taken}",
                progress.results_text,
                str(batch.window),
                str(batch.requests_per_minute or "–"),
                "yes" if batch.urgent else "",
                batch.created_by_name,
                batch.held_text,
            )
        # No terminal cuts what a script reads.
        out = cast("IO[str]", self.stdout)  # Django's wrapper writes what it is given
        Console(file=out, width=None if self.stdout.isatty() else 240, markup=False).print(table)


def _pause(options: dict[str, Any]) -> str:
    batch_pause(batch_pk=options["batch"], actor=command_actor(), reason=options["reason"])
    return f"Batch {options['batch']} is paused. Workers hand its threads back after the current chunk."


def _resume(options: dict[str, Any]) -> str:
    batch_resume(batch_pk=options["batch"], actor=command_actor(), reason=options["reason"])
    return f"Batch {options['batch']} is resumed."


def _cancel(options: dict[str, Any]) -> str:
    batch_cancel(batch_pk=options["batch"], actor=command_actor(), reason=options["reason"])
    return f"Batch {options['batch']} is being cancelled."


def _change(options: dict[str, Any]) -> str:
    wanted = {"window": options["window"], "requests_per_minute": options["rpm"], "urgent": options["urgent"]}
    if all(value is None for value in wanted.values()):
        raise CommandError("Say what to change: --window, --rpm, --urgent or --no-urgent.")
    changed = batch_change(batch_pk=options["batch"], actor=command_actor(), **wanted)
    return f"Batch {options['batch']} has another throttle." if changed else "Nothing was changed."


_ACTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "change": _change,
}
