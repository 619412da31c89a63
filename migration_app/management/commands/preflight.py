"""``manage.py preflight``: what a backfill would send, counted to the call. Sends and changes nothing."""

from __future__ import annotations

import pathlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from migration_app.audit.command_line import command_actor
from migration_app.audit.trail import audit_record
from migration_app.batches.preflight import Preflight, preflight_of
from migration_app.batches.preflight_report import HEADER, basis_text, preflight_rows
from migration_app.csv_files import csv_write
from migration_app.management.batches import (
    add_policy_argument,
    add_which_arguments,
    policies_of,
    selection_from,
)
from migration_app.management.private_files import private_open
from migration_app.models import Batch
from migration_app.threads.selections import SelectionError, selection_of_filters, selection_threads


class Command(BaseCommand):
    """Count what a batch would send under the policies chosen; nothing is too much for it."""

    help = (
        "Show what a backfill would send: grades, findings, calls, chunks, bytes. Sends and changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the selection's options, the policies and where to write."""
        which = add_which_arguments(parser, verb="count")
        which.add_argument(
            "--filter",
            action="append",
            metavar="NAME=VALUE",
            help="a filter of the console's thread list, as its address has it (repeatable)",
        )
        parser.add_argument("--search", default="", metavar="ID", help="only threads that this search finds")
        parser.add_argument("--retry", action="store_true", help="count what Retry would take, not Backfill")
        parser.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="write everything to a CSV file")
        add_policy_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Count, and report."""
        policies = policies_of(options)
        selection = _selection(options)
        kind = Batch.Kind.RETRY if options["retry"] else Batch.Kind.BACKFILL
        console = Console(stderr=True)
        columns = (TextColumn("converting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
            task = bar.add_task("converting", total=None)
            found = preflight_of(
                selection,
                kind,
                policies,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        self._tell(found)
        if options["csv"]:
            self._write(options["csv"], found)

    def _tell(self, found: Preflight) -> None:
        totals = found.totals
        say = self.stdout.write
        say(f"Figures {basis_text(found)}.")
        say(f"{found.matching:>12,}  matching, {found.taken:,} of them included")
        say(f"{found.blocked:>12,}  stop at a blocking finding: nothing of them is sent")
        if found.begun:
            say(f"{found.begun:>12,}  have a conversation already: they send less than is counted here")
        for text, count in (
            ("threads would be sent", totals.threads),
            ("messages", totals.messages),
            ("items", totals.items),
            ("chunks", totals.chunks),
            ("API calls", totals.calls),
            ("bytes of items", totals.payload_bytes),
        ):
            say(f"{count:>12,}  {text}")
        for title, rows in (
            ("Skipped, by status", [(count, status) for status, count in found.refused_by_status.items()]),
            (
                "Fidelity",
                [(count, name or "not assessed") for name, count in sorted(found.by_fidelity.items())],
            ),
            (
                "Findings",
                [(f.threads, f"{f.code} ({f.severity}), {f.count:,} times") for f in found.findings],
            ),
            (
                "Policies: threads that each decides about",
                [(e.threads, f"{e.name}={e.choice}, {e.parts:,} parts") for e in found.effects],
            ),
            (
                "Longest threads, in items",
                [(t.item_count, f"{t.thread_id}, {t.chunk_count:,} chunks") for t in found.longest],
            ),
        ):
            if rows:
                say(f"{title}:")
            for count, text in rows:
                say(f"{count:>12,}  {text}")

    def _write(self, path: pathlib.Path, found: Preflight) -> None:
        try:
            with private_open(path, encoding="utf-8", newline="") as file:
                csv_write(file, HEADER, preflight_rows(found))
        except OSError as error:
            raise CommandError(f"{path} can't be written: {error.strerror}.") from error
        audit_record(
            actor=command_actor(),
            verb="preflight.exported",
            subject_kind="preflight",
            subject_id="csv",
            reason=f"to {path}",
        )
        self.stdout.write(f"Written to {path}.")


def _selection(options: dict[str, Any]) -> dict[str, Any]:
    if options["thread"]:
        if options["search"]:
            raise CommandError("--search goes with --all, --status or --filter, not with --thread.")
        return selection_from(options)
    filters = {"status__exact": options["status"]} if options["status"] else {}
    for text in options["filter"] or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--filter takes NAME=VALUE, for instance status__exact=failed, not {text!r}.")
        filters[name] = value
    try:
        selection = selection_of_filters(filters, search=options["search"])
        selection_threads(selection).exists()  # a value that its field can't have
    except (SelectionError, ValueError) as error:
        raise CommandError(f"The selection can't be read: {error}") from error
    return selection
