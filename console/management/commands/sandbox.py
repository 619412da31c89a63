"""`manage.py sandbox`: the stand-in for both APIs. It needs no database; see console.sandbox for what it does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.sandbox.cli import SandboxUsageError, add_arguments, serve


class Command(BaseCommand):
    """Serve the sandbox until interrupted."""

    help = "Serve a stand-in for both OpenAI APIs, with their limits and, on demand, their faults."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options, the same as those of `python -m console.sandbox`."""
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve."""
        try:
            serve(
                host=options["host"],
                port=options["port"],
                seeds=options["seed"],
                latency_ms=options["latency_ms"],
                faults=options["faults"],
                write=self._write,
                note=self.stderr.write,
            )
        except SandboxUsageError as error:
            raise CommandError(str(error)) from error

    def _write(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
