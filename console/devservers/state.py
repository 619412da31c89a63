"""Where the servers of console.devservers keep their state, and who uses it now.

Users are counted by a shared flock, which the kernel drops when its holder dies, kill -9 included: a number
in a file would stay wrong forever. Must not import Django, nor know any server.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from console.devservers import processes
from console.devservers.processes import Account, DevServerError

_NAME = "migration-console"
_PROJECT = Path(__file__).resolve().parents[2]
_SHARED_TEMPORARY = Path("/var/tmp")  # noqa: S108 - survives a reboot; names carry the uid, owners are checked
_REMOVE_SECONDS = 5.0
_NOBODY_ID = 65534  # where a minimal image has no passwd entry for nobody


def default_state_dir() -> Path:
    """Return where this checkout's demo keeps its data: CONSOLE_STATE_DIR, or a directory outside the
    checkout."""
    if chosen := os.environ.get("CONSOLE_STATE_DIR"):
        return Path(chosen).expanduser().resolve()
    # Two checkouts may be at different migrations, so each has its own data.
    checkout = f"{_PROJECT.name}-{hashlib.sha256(os.fsencode(_PROJECT)).hexdigest()[:8]}"
    if os.geteuid() != 0 and (base := _own_state_home()):
        return base / _NAME / checkout
    # Root's PostgreSQL runs as another user, who cannot enter root's home; a container's user may have no
    # home.
    return _SHARED_TEMPORARY / f"{_NAME}-{os.geteuid()}-{checkout}"


def _own_state_home() -> Path | None:
    """Return XDG_STATE_HOME or its default, if it can be written to."""
    chosen = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = (Path(chosen) if chosen.startswith("/") else Path.home() / ".local" / "state").resolve()
    except RuntimeError:  # neither HOME nor an entry in passwd
        return None
    existing = next(path for path in (base, *base.parents) if path.exists())
    return base if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK) else None


def account_for_postgres() -> Account | None:
    """Return whom PostgreSQL runs as, which refuses root: nobody if we are root, else None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account("nobody", _NOBODY_ID, _NOBODY_ID)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def prepare(state: Path, account: Account | None) -> None:
    """Create `state` where it is missing; make sure that it is ours and that `account` can pass through.

    A directory that exists is never changed: it may be anything that somebody named by mistake.
    """
    try:
        for directory in reversed([path for path in (state, *state.parents) if not path.exists()]):
            directory.mkdir(exist_ok=True)
            directory.chmod(_mode())
        found = state.stat()
    except OSError as error:
        raise DevServerError(
            f"no state can be kept in {state}: {error}. Name another directory with --state or "
            "CONSOLE_STATE_DIR"
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_IWOTH:
        raise DevServerError(
            f"{state} belongs to another user, or everybody may write to it: name a directory of your own with "
            "--state or CONSOLE_STATE_DIR"
        )
    if account and not all(path.stat().st_mode & stat.S_IXOTH for path in (state, *state.parents)):
        raise DevServerError(
            f"PostgreSQL does not run as root, and user {account.name} cannot enter {state}: name another "
            "directory with --state or CONSOLE_STATE_DIR, one below /var/tmp for instance"
        )


def _mode() -> int:
    return 0o711 if account_for_postgres() else 0o700


@contextlib.contextmanager
def in_use(state: Path, name: str, start: Callable[[], str], stop: Callable[[], None]) -> Iterator[str]:
    """Yield what `start` returns, a URL; at the end call `stop`, if nobody else uses server `name` of
    `state`.

    `start` must take over a server that already runs; `stop` must accept one that does not.
    """
    with (state / f"{name}.users").open("a") as users:
        try:
            with _exclusive(state / f"{name}.lock"):
                fcntl.flock(users, fcntl.LOCK_SH)
                url = start()
            yield url
        finally:
            with _exclusive(state / f"{name}.lock"):
                # Closing would not do: a child that was forked meanwhile shares the open file and its lock.
                fcntl.flock(users, fcntl.LOCK_UN)
                if _nobody_holds(users.fileno()):
                    stop()


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time start or stop a server."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _nobody_holds(descriptor: int) -> bool:
    """Tell whether a file has no lock by others; if so, it has ours from now on."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def volatile_state() -> Iterator[Path]:
    """Yield a new directory that is removed at the end; first remove what killed runs have left behind."""
    base = _SHARED_TEMPORARY if os.geteuid() == 0 else Path(tempfile.gettempdir()).resolve()
    prefix = f"{_NAME}-volatile-{os.geteuid()}-"
    _sweep(base, prefix)
    fresh = Path(tempfile.mkdtemp(prefix=f"{_NAME}-new-", dir=base))
    descriptor = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Only a locked directory gets the name that sweepers look for: none takes a new one for a leftover.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fresh.chmod(_mode())
        state = fresh.rename(base / fresh.name.replace(f"{_NAME}-new-", prefix))
        try:
            yield state
        finally:
            remove(state)
    finally:
        os.close(descriptor)


def remove(directory: Path) -> None:
    """Remove a directory in which a killed process may write, or remove, some files yet."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    shutil.rmtree(directory, ignore_errors=True)
    while directory.exists():
        time.sleep(processes.POLL_SECONDS)
        shutil.rmtree(directory, ignore_errors=time.monotonic() < deadline)


def _sweep(base: Path, prefix: str) -> None:
    for left in base.glob(f"{prefix}*"):
        try:
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # its owner has just removed it, or it is none of ours
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and _nobody_holds(descriptor):
                for program in ("postgres", "valkey-server"):
                    processes.end(left, program)
                remove(left)
        finally:
            os.close(descriptor)
