"""The sandbox's command line, shared by `python -m console.sandbox` and `manage.py sandbox`. Imports no Django.

The sandbox itself is imported when it is started: its packages are requirements/development.txt's, and a server that
lacks them shall say so, and show the options, as with every other command.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console.command_options import port

if TYPE_CHECKING:
    from console.sandbox.faults import FaultRule

DEFAULT_PORT = 8787
_PACKAGES = ("starlette", "uvicorn")


class SandboxUsageError(Exception):
    """The sandbox can't start with these options; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=port,
        default=DEFAULT_PORT,
        help="port to listen on; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="JSON Lines of API objects for the source side, may be gzipped; can be given more than once",
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="N", help="wait that long before every answer"
    )
    parser.add_argument(
        "--faults",
        type=_spec,
        default=[],
        metavar="SPEC",
        help="faults to begin with, as 'kind:METHOD /path:option=value;…', for instance "
        "'reset_after:POST /conversations$:times=2;rate_limit:POST .*/items:every=5:retry_after=1'",
    )


def serve(
    *,
    host: str,
    port: int,
    seeds: list[Path],
    latency_ms: float,
    faults: list[FaultRule],
    write: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Serve until stopped by a signal; writes one line, the base URL, when it listens.

    Objects of the seeds that are not served go to `note`. Raises SandboxUsageError.
    """
    if lacking := _lacking():
        raise SandboxUsageError(lacking)
    from console.sandbox.app import Sandbox  # noqa: PLC0415 - see above
    from console.sandbox.seed import SeedError, seed_file  # noqa: PLC0415
    from console.sandbox.server import base_url, listen, make_server  # noqa: PLC0415
    from console.sandbox.world import new_world  # noqa: PLC0415

    world = new_world(faults)
    for path in seeds:
        try:
            report = seed_file(world.source, path)
        except (SeedError, OSError) as error:
            raise SandboxUsageError(f"can't read the seed: {error}") from error
        for kind, count in sorted(report.ignored.items()):
            note(f"{path}: {count} of {kind} not served")
    try:
        listener = listen(host, port)
    except OSError as error:
        raise SandboxUsageError(
            f"can't listen on {host} port {port}: {error.strerror}; try --port 0"
        ) from error
    url = base_url(listener)
    app = Sandbox(world, latency=latency_ms / 1000)
    server = make_server(app, lambda: write(f"Sandbox listens on {url}"))
    # Ctrl-C is how it is meant to end; uvicorn has shut down in order and then raises this.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _lacking() -> str:
    """Say which packages the sandbox lacks here, and what to do; empty if none."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    return (
        f"the sandbox needs packages that a server does without ({', '.join(missing)}): install "
        "requirements/development.txt"
        if missing
        else ""
    )


def _spec(text: str) -> list[FaultRule]:
    if lacking := _lacking():
        raise argparse.ArgumentTypeError(lacking)
    from console.sandbox.faults import FaultError, parse_spec  # noqa: PLC0415 - see above

    try:
        return parse_spec(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
