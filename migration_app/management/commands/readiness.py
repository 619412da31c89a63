"""``manage.py readiness``: could the prompts be used today, and which functions must applications answer."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.command_line import command_actor
from migration_app.csv_files import csv_write
from migration_app.models import ReadinessCheck
from migration_app.prompts.model_replace import (
    MOST_AT_ONCE,
    ReplacementRefusedError,
    model_replace,
    versions_with_model,
)
from migration_app.prompts.needs import needs_fill, versions_that_count
from migration_app.readiness.checklist import readiness_of
from migration_app.readiness.checks import check_request
from migration_app.readiness.function_calls import HEADER, function_uses
from migration_app.readiness.work import readiness_work
from migration_app.tasks.connections import connections_of_settings

_A_FETCH = 100
Kind = ReadinessCheck.Kind


class Command(BaseCommand):
    """Report for each prompt whether its model, vector stores and files exist; replace models; list functions."""

    help = (
        "Report for each prompt (its active version, or without one its newest) whether the target has its model, "
        "vector stores and files. Exit 1 if one could not be used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what to do first, and what to show."""
        parser.add_argument("--refresh", action="store_true", help="ask the target first, here and now")
        parser.add_argument(
            "--functions",
            action="store_true",
            help="instead: print a CSV of the functions that prompts and assistants name, with their calls",
        )
        parser.add_argument(
            "--count-calls", action="store_true", help="count calls of functions in all snapshots first"
        )
        parser.add_argument(
            "--replace",
            nargs=2,
            metavar=("OLD", "NEW"),
            help="instead: a new version (draft) of every prompt whose model is OLD, with NEW",
        )
        parser.add_argument("--reason", default="", help="why, with --replace")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Refresh if requested, then report or replace."""
        for kind, wanted in ((Kind.TARGET, options["refresh"]), (Kind.CALLS, options["count_calls"])):
            if wanted:
                self._look(kind)
        needs_fill()
        if options["replace"]:
            self._replace(*options["replace"], reason=options["reason"])
        elif options["functions"]:
            csv_write(self.stdout, HEADER, map(dataclasses.astuple, function_uses()))
        else:
            self._tell()

    def _look(self, kind: str) -> None:
        check_request(kind=kind, actor=command_actor())
        while readiness_work(kind=kind, actor=command_actor(), apis=connections_of_settings()):
            pass
        row = ReadinessCheck.objects.get(kind=kind)
        if row.state == ReadinessCheck.State.FAILED:
            raise CommandError(row.error_text)
        if row.state != ReadinessCheck.State.FINISHED:
            raise CommandError("A worker is at this check: wait for it, then ask again.")

    def _tell(self) -> None:
        unusable = 0
        versions = versions_that_count().select_related("prompt").order_by("prompt__slug")
        for start in range(0, versions.count(), _A_FETCH):
            for ready in readiness_of(versions[start : start + _A_FETCH]):
                unusable += ready.grade == "error"
                text = " ".join(problem.text for problem in ready.problems)
                version = ready.version
                self.stdout.write(
                    f"{ready.grade:<7}  {version.prompt.slug} v{version.number} ({version.get_state_display()})  "
                    f"{ready.model}  {text}".rstrip()
                )
        if unusable:
            raise CommandError(f"{unusable} prompt{'s' * (unusable != 1)} could not be used today.")

    def _replace(self, old: str, new: str, *, reason: str) -> None:
        pks = list(versions_with_model(old).values_list("pk", flat=True))
        if not pks:
            raise CommandError(f"No prompt names the model {old}.")
        try:
            for start in range(0, len(pks), MOST_AT_ONCE):
                made, left = model_replace(
                    old=old,
                    new=new,
                    version_pks=pks[start : start + MOST_AT_ONCE],
                    reason=reason,
                    author=command_actor(),
                )
                for version in made:
                    self.stdout.write(f"{version.prompt.slug} v{version.number} (draft)")
                for slug in left:
                    self.stdout.write(f"{slug}: its newest version says so already")
        except ReplacementRefusedError as error:
            raise CommandError(str(error)) from error
