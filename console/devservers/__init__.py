"""Real PostgreSQL and Valkey out of two wheels, for the demo, for tests and for checks; never for production.

    with running(default_state_dir()) as urls:                                # keeps its data
    with volatile_state() as state, running(state, volatile=True) as urls:    # leaves nothing behind

From a shell: `python -m console.devservers run -- CMD…` (see __main__). Servers that keep data may be shared:
they stop with their last user. After a kill -9 of their users they run on, and the next one takes them over;
after a kill -9 of their own they start again with the data. Throw-away servers end with the thread that
started them, where the system is Linux; elsewhere the next volatile_state() ends them. Must not import
Django.
"""

import sys

if sys.platform == "win32":
    raise ImportError(
        "The embedded servers need macOS or Linux with glibc: work in WSL, or set DATABASE_URL and REDIS_URL "
        "to servers of your own and start the command without console.devservers"
    )

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from console.devservers import postgres, valkey
from console.devservers.processes import DevServerError
from console.devservers.state import account_for_postgres, default_state_dir, in_use, prepare, volatile_state

__all__ = ["DevServerError", "default_state_dir", "running", "volatile_state"]

_SERVERS = {"DATABASE_URL": postgres, "REDIS_URL": valkey}


@contextlib.contextmanager
def running(state: Path, *, volatile: bool = False) -> Iterator[dict[str, str]]:
    """Yield DATABASE_URL and REDIS_URL: what the environment says, else that of a server started in `state`.

    `volatile` trades durability for speed. DevServerError says what to do when a server cannot be had.
    """
    urls = {name: url for name in _SERVERS if (url := os.environ.get(name))}
    missing = {name: server for name, server in _SERVERS.items() if name not in urls}
    if missing:
        state = state.expanduser().resolve()
        prepare(state, account_for_postgres() if "DATABASE_URL" in missing else None)
    with contextlib.ExitStack() as stack:
        for name, server in missing.items():
            start = functools.partial(server.start, state, volatile=volatile)
            stop = functools.partial(server.stop, state, volatile=volatile)
            urls[name] = stack.enter_context(in_use(state, server.__name__.rpartition(".")[2], start, stop))
        yield urls
