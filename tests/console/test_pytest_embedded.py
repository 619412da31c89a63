"""console.pytest_embedded, in pytest runs of its own: the plugin of this run has done its work already."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console.pytest_embedded import TEST_ENVIRONMENT, redis_url_of_worker

PROJECT = Path(__file__).resolve().parents[2]
WRITE_ENVIRONMENT = """
import os, pathlib, psycopg, pytest, redis

@pytest.mark.parametrize("number", range(4))
def test_servers(number):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        directory = connection.execute("SHOW data_directory").fetchone()[0]
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
    name = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    names = ("REDIS_URL", "SECRET_KEY", "DEBUG", "OPENAI_API_KEY")
    text = "\\n".join([directory, *(os.environ[each] for each in names)])
    pathlib.Path(os.environ["REPORTS"], name).write_text(text)
"""
WAIT_FOR_SIGNAL = """
import os, psycopg, signal

def test_waits():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        print("\\nDIRECTORY", connection.execute("SHOW data_directory").fetchone()[0], flush=True)
    signal.pause()
"""


def pytest_command(*arguments: str) -> list[str]:
    plugins = ("-p", "no:django", "-p", "no:cacheprovider", "-p", "console.pytest_embedded")
    return [sys.executable, "-m", "pytest", "-c", os.devnull, *plugins, *arguments]


def outer_environment(reports: Path, **more: str) -> dict[str, str]:
    ours = {"DATABASE_URL", "REDIS_URL", *TEST_ENVIRONMENT}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("PYTEST_")
    }
    return kept | {"REPORTS": str(reports), "PYTHONPATH": str(PROJECT)} | more


def run_pytest(tmp_path: Path, *arguments: str, **environment: str) -> dict[str, list[str]]:
    """Run a test file in a pytest of its own; return what each worker saw, by its name."""
    reports = tmp_path / "reports"
    reports.mkdir()
    (tmp_path / "test_example.py").write_text(WRITE_ENVIRONMENT)
    result = subprocess.run(
        pytest_command(*arguments, str(tmp_path / "test_example.py")),
        cwd=PROJECT,
        env=outer_environment(reports, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return {report.name: report.read_text().splitlines() for report in reports.iterdir()}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return run_pytest(tmp_path_factory.mktemp("two workers"), "-n", "2", DEBUG="on")


def test_a_run_has_test_settings_without_any_env_file(seen: dict[str, list[str]]) -> None:
    assert seen["gw0"][2] == seen["gw1"][2] == TEST_ENVIRONMENT["SECRET_KEY"]
    assert seen["gw0"][4] == TEST_ENVIRONMENT["OPENAI_API_KEY"]


def test_a_setting_from_outside_wins(seen: dict[str, list[str]]) -> None:
    assert seen["gw0"][3] == "on"


def test_workers_share_the_servers_but_not_a_redis_database(seen: dict[str, list[str]]) -> None:
    assert set(seen) == {"gw0", "gw1"}
    assert len({lines[0] for lines in seen.values()}) == 1
    assert [seen[worker][1].rpartition("/")[2] for worker in ("gw0", "gw1")] == ["0", "1"]


def test_nothing_of_a_run_is_left(seen: dict[str, list[str]]) -> None:
    assert not Path(seen["gw0"][0]).parents[1].exists()


def test_nothing_is_left_after_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(WAIT_FOR_SIGNAL)
    with subprocess.Popen(
        pytest_command("-s", str(tmp_path / "test_example.py")),
        cwd=PROJECT,
        env=outer_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("DIRECTORY"))
        directory = Path(line.removeprefix("DIRECTORY").strip())
        assert directory.is_dir()
        process.send_signal(signal.SIGINT)
        process.communicate()

    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert not directory.parents[1].exists()


@pytest.mark.parametrize(
    ("url", "worker", "expected"),
    [
        ("redis://:secret@127.0.0.1:6379/0", "gw0", "redis://:secret@127.0.0.1:6379/0"),
        ("redis://:secret@127.0.0.1:6379/0", "gw11", "redis://:secret@127.0.0.1:6379/11"),
        ("redis://cache:6379/4", "gw2", "redis://cache:6379/6"),
        ("redis://cache:6379", "gw3", "redis://cache:6379/3"),
        ("rediss://cache/1?ssl_cert_reqs=none", "gw1", "rediss://cache/2?ssl_cert_reqs=none"),
    ],
)
def test_worker_n_gets_the_database_n_further(url: str, worker: str, expected: str) -> None:
    assert redis_url_of_worker(url, worker) == expected


def test_the_secret_key_for_tests_is_long_enough_for_djangos_own_check() -> None:
    assert len(TEST_ENVIRONMENT["SECRET_KEY"]) >= 50
