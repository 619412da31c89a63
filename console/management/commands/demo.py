"""``manage.py demo``: the whole console with sample data, nothing to configure."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Count, Sum
from rich.console import Console
from rich.table import Table

from console.demo import (
    DemoError,
    add_arguments,
    end_on_signals,
    free_port,
    sandbox_running,
    workers_and_web,
)
from console.demo_story import Story
from console.sample import sample_path
from migration_app.contracts import Actor
from migration_app.models import Assistant, Batch, Chunk, Conversation, PromptVersion, Thread

_ACCOUNTS = {"viewer": "viewer", "operator": "operator", "admin": "admin", "approver": "admin"}
"""Each with its group. Two admins: what one of them asks for, the other may have to approve."""
_LOCK = 0x7A11137  # an advisory lock's number, beside those of the counters


class Command(BaseCommand):
    """Bring the console up with sample data; with --once, do the whole job without a browser and report."""

    help = "Bring the console up with embedded servers, a sandbox and sample data."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Set up, then serve or run once."""
        end_on_signals()
        try:
            with _only_demo() as announce, sandbox_running(sample_path()) as variables:
                call_command("migrate", verbosity=0)
                # The workers started below inherit these; so does this process, which asks nothing of an API.
                os.environ.update(variables)
                call_command("import_archive", str(sample_path()), reason="sample data")
                if options["once"]:
                    self._once(workers=options["workers"])
                else:
                    tell = None if options["plain"] else variables["OPENAI_BASE_URL"]
                    self._serve(options["workers"], free_port(options["port"]), announce, tell)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nThe demo has ended. Its data is kept; `make demo` brings it back.")

    def _serve(self, workers: int, port: int, announce: Callable[[str], None], story_at: str | None) -> None:
        """Serve until the end. ``story_at``: the sandbox where the story takes place, once; None for none."""
        password = secrets.token_urlsafe(9)
        for name, role in _ACCOUNTS.items():
            _user_set(name, role, password)
        if Conversation.objects.exists():
            self.stdout.write(
                "Conversations of an earlier demo are still in the mapping, but the sandbox forgets them when it "
                "ends: Verify will truthfully send those threads to review."
            )
        connection.close()
        with workers_and_web(workers, port) as web:
            if story_at and workers and not Batch.objects.exists():
                self.stdout.write("An operation with progress and trouble is being played: a minute at most.")
                self.stdout.flush()
                Story(story_at, _actor("operator"), _actor("admin")).tell()
                connection.close()
            address = f"http://localhost:{port}/"
            announce(address)
            self.stdout.write(
                f"\nThe console is at {address}\n"
                "Log in as admin, approver (who approves what admin may not do alone), operator or viewer; "
                f"the password of all four: {password}\n"
                "Ctrl-C ends it.\n"
            )
            self.stdout.flush()
            web.wait()

    def _once(self, *, workers: int) -> None:
        call_command("convert_assistants", all=True, reason="demo")
        call_command("backfill", all=True, wait=True, workers=max(workers, 1), reason="demo")
        Console(file=sys.stdout).print(_report())
        call_command("verify", all=True, wait=True, workers=max(workers, 1), reason="demo")
        open_ends = Thread.objects.exclude(status__in=[Thread.Status.VERIFIED, Thread.Status.BLOCKED])
        unlike = Thread.objects.filter(status=Thread.Status.BLOCKED).exclude(fidelity="blocked")
        if open_ends.exists() or unlike.exists():
            raise CommandError(f"{open_ends.count() + unlike.count()} threads did not end as they should.")
        self.stdout.write("Every thread that conversion lets pass is verified.")


@contextlib.contextmanager
def _only_demo() -> Iterator[Callable[[str], None]]:
    """Have the data for this demo alone: two would share users and queue, and the second would reset the passwords.

    Yields a function that records this demo's address for later ones. The lock lives as long as its session: kill -9
    ends it.
    """
    session = connections.create_connection(DEFAULT_DB_ALIAS)

    def announce(address: str) -> None:
        with session.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", [address])

    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if cursor.fetchone() == (False,):
                cursor.execute(
                    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND datname = current_database()",
                    [_LOCK],
                )
                (address,) = cursor.fetchone() or ("",)
                raise CommandError(
                    f"A demo is {f'running with this data at {address}' if address else 'starting with this data'}: "
                    "use that one, end it, or give this one a folder of its own, "
                    "`CONSOLE_STATE_DIR=/path/of/another make demo` (or other servers, where DATABASE_URL is set)."
                )
        yield announce
    finally:
        session.close()


def _actor(name: str) -> Actor:
    return Actor(name, get_user_model().objects.get(username=name).pk)


def _user_set(name: str, role: str, password: str) -> None:
    user, _created = get_user_model().objects.get_or_create(username=name)
    user.is_staff = True
    user.is_superuser = name == "admin"
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get(name=role)])


def _report() -> Table:
    """What is in the console now: threads by status and fidelity, what was sent, what was found."""
    table = Table(title="The sample estate after the backfill", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for row in (
        Thread.objects.order_by("status", "fidelity")
        .values("status", "fidelity")
        .annotate(threads=Count("pk"))
    ):
        table.add_row(
            f"threads {Thread.Status(row['status']).label}, {row['fidelity'] or 'not graded'}",
            str(row["threads"]),
        )
    table.add_section()
    table.add_row("messages", str(Thread.objects.aggregate(n=Sum("message_count", default=0))["n"]))
    table.add_row("conversations", str(Conversation.objects.count()))
    table.add_row("items", str(Conversation.objects.aggregate(n=Sum("item_count", default=0))["n"]))
    table.add_row("chunks", str(Chunk.objects.count()))
    table.add_row(
        "assistants converted", str(Assistant.objects.filter(status=Assistant.Status.CONVERTED).count())
    )
    table.add_row("prompt versions", str(PromptVersion.objects.count()))
    table.add_section()
    findings: dict[str, int] = {}
    for counts in Thread.objects.values_list("finding_counts", flat=True):
        for code, count in counts.items():
            findings[code] = findings.get(code, 0) + count
    for code, count in sorted(findings.items()):
        table.add_row(f"finding {code}", str(count))
    return table
