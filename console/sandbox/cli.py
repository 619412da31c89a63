"""The sandbox's command line, shared by `python -m console.sandbox` and `manage.py sandbox`. Imports no Django."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path

from console.sandbox.app import Sandbox
from console.sandbox.faults import FaultError, FaultRule, parse_spec
from console.sandbox.seed import SeedError, seed_file
from console.sandbox.server import base_url, listen, make_server
from console.sandbox.world import new_world

DEFAULT_PORT = 8787


class SandboxUsageError(Exception):
    """The sandbox can't start as told; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=int,
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


def _spec(text: str) -> list[FaultRule]:
    try:
        return parse_spec(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
