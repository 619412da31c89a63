"""`python -m console.devservers run [--volatile | --state DIR] -- CMD…`: PostgreSQL and Valkey around a command.

CMD finds them by DATABASE_URL and REDIS_URL; one that is set already is used as it is. Signals are passed on
to CMD, and the exit code is CMD's (128 + n after signal n, as in a shell). Codes of our own, as of env(1) and
timeout(1): 125 no server, 126 CMD can't be run, 127 CMD not found; 2 for wrong arguments. After a kill -9 the
servers of a state directory run on: `run -- true` takes them over and stops them. Must not import Django.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from console import devservers
from console.parent_death import ask_for_signal_on_parent_death


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m console.devservers",
        description="Run a command beside a real PostgreSQL and a real Valkey.",
        usage="%(prog)s run [--volatile | --state DIR] -- CMD...",
    )
    parser.add_argument("action", choices=["run"])
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--volatile", action="store_true", help="fast servers whose data is thrown away at the end"
    )
    place.add_argument(
        "--state", type=Path, metavar="DIR", help="where the data is kept (default: CONSOLE_STATE_DIR)"
    )
    ours, separator, command = _split(arguments)
    options, unknown = parser.parse_known_args(ours)
    if not command:
        parser.error("no command: write it after `--`" + ("" if separator else ", as in `run -- make check`"))
    if unknown:
        parser.error(f"unknown arguments: {' '.join(unknown)}")
    _handle_signals(_leave)
    with contextlib.ExitStack() as stack:
        try:
            state = options.state or devservers.default_state_dir()
            if options.volatile:
                state = stack.enter_context(devservers.volatile_state())
            urls = stack.enter_context(devservers.running(state, volatile=options.volatile))
        except devservers.DevServerError as error:
            sys.stderr.write(f"console.devservers: {error}\n")
            return 125
        code = _run(command, os.environ | urls)
        _handle_signals(_ignore)  # the servers are about to be stopped: that has its own time limits
    return code


def _split(arguments: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Split at the first `--` (argparse's own treatment of it differs between Python versions)."""
    if "--" not in arguments:
        return list(arguments), False, []
    at = arguments.index("--")
    return list(arguments[:at]), True, list(arguments[at + 1 :])


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(signum, handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup(1), and meant to stay so
        signal.signal(signal.SIGHUP, handler)


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _ignore(_signum: int, _frame: FrameType | None) -> None:
    return


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `command`, pass signals on to it, and return its exit code."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(signum: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(signum)
        else:
            _send(child, signum)

    _handle_signals(pass_on)
    try:
        # In a session of its own, or a terminal's Ctrl-C would reach it twice: from the terminal and from us.
        # If we are killed, it shall end too: else a demo would hold its port with nobody left to stop it.
        child = subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            preexec_fn=ask_for_signal_on_parent_death(signal.SIGTERM),  # noqa: PLW1509 - it takes no lock
        )
    except FileNotFoundError:
        sys.stderr.write(f"console.devservers: command not found: {command[0]}\n")
        return 127
    except OSError as error:
        sys.stderr.write(f"console.devservers: cannot run {command[0]}: {error}\n")
        return 126
    for signum in early:
        _send(child, signum)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _send(child: subprocess.Popen[bytes], signum: int) -> None:
    """Send a signal as its usual sender does: kill(1)'s SIGTERM to CMD alone, a terminal's to its whole
    group."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if signum == signal.SIGTERM:
                os.kill(child.pid, signum)
            else:
                os.killpg(child.pid, signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
