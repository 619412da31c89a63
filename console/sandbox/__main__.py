"""`python -m console.sandbox`: the sandbox without Django. See `cli` for the options."""

import argparse
import functools
import sys

from console.sandbox.cli import SandboxUsageError, add_arguments, serve


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m console.sandbox", description="A stand-in for both APIs."
    )
    add_arguments(parser)
    options = parser.parse_args()
    try:
        serve(
            host=options.host,
            port=options.port,
            seeds=options.seed,
            latency_ms=options.latency_ms,
            faults=options.faults,
            write=functools.partial(print, flush=True),
            note=functools.partial(print, file=sys.stderr),
        )
    except SandboxUsageError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
