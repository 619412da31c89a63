"""Processes of the harness's own, asked by lines of JSON: each side is measured in a process of its own.

Must not import Django.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any, cast


class ChildError(Exception):
    """A process of the harness ended before its answer; what it said stands above."""


class Child:
    """A Python module that runs as a process and answers commands."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C reaches the harness alone, which then ends its processes
        )
        self._commands = cast("IO[str]", self.process.stdin)
        self._answers = cast("IO[str]", self.process.stdout)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.communicate()

    def line(self) -> str:
        """The next line that it prints. ChildError if it ended instead."""
        line = self._answers.readline()
        if not line:
            raise ChildError(f"python -m {self._module} ended with code {self.process.wait()}")
        return line

    def ask(self, command: str, **arguments: Any) -> Any:
        """Have a command done and return its answer. ChildError if the process ended over it."""
        self._commands.write(json.dumps([command, arguments]) + "\n")
        self._commands.flush()
        return json.loads(self.line())


def answer_commands(commands: Mapping[str, Callable[..., object]]) -> None:
    """The other side: do what each line asks until there are no more. Errors end the process, and are seen."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing but answers goes to the harness
    for line in sys.stdin:
        command, arguments = json.loads(line)
        answers.write(json.dumps(commands[command](**arguments)) + "\n")
        answers.flush()
