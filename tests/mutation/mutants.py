"""`python -m tests.mutation.mutants`: small wrongs in the code, drawn by seed, and whether the tests notice them.

    python -m tests.mutation.mutants [--seed N] [--count N] [--rooms NAME…] [--at PATH[:LINE]]
                                    [--workers N] [--limit SECONDS]

Each is made in a copy of the tree. The tests that reach its line are run: those of the module first (`tests/` mirrors
the modules), then those of its room, and of its name in other rooms. Which of them reach a line is measured before, by
one run of each room; tests that fail without any change are named and left out. PostgreSQL and Valkey are shared; each
run has a fresh copy of the migrated database. A seed and a tree give the same mutants. The last line is the result as
JSON.
Exit code 0 whenever everything could be tried: what survives is for a person to judge. Must not import Django.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from coverage import CoverageData
from psycopg import sql
from redis import Redis

from console.devservers import DevServerError, running, volatile_state
from tests.mutation.drawing import ROOMS, Result, candidates, digest_of, drawn, summary
from tests.mutation.mutations import Mutant, is_sql, mutated

TRIED_THROUGH = {
    "archive": ("imports",),
    "threads": ("engine",),
    "batches": ("engine",),
    "operation": ("admin/operation",),
    "review": ("admin/review",),
}
"""Rooms whose work shows in the tests of another one too."""
_OF_CONSTANTS = "tests/docs/test_limits.py"
"""Compares constants of every room with the documents."""
_ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "htmlcov", "build"
)
_DATABASE = "mutants"
_TEST_SECONDS = 60
_BASE_SECONDS = 1800
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
_PYTEST = (
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "--reuse-db",
    "--tb=no",
    "--timeout",
    str(_TEST_SECONDS),
)
_FAILED_TESTS = 1


class MutantsError(Exception):
    """Mutants can't be tried; the text says why."""


class Bench:
    """One copy of the tree with a database and a Redis database of its own, in which one run at a time happens."""

    def __init__(self, tree: Path, number: int, urls: Mapping[str, str], limit: float) -> None:
        self.tree = tree
        self._limit = limit
        self._writes = 0
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._name = f"{_DATABASE}_{number}"
        self._admin_url = urls["DATABASE_URL"]
        self._redis_url = urlsplit(urls["REDIS_URL"])._replace(path=f"/{number}").geturl()
        self._environment = _environment(self._admin_url, self._name, self._redis_url)

    def try_out(self, mutant: Mutant, tests: Sequence[str], left_out: Sequence[str]) -> Result:
        """Make the change, run the tests, take it back."""
        path = self.tree / mutant.path
        source = path.read_text()
        self._write(path, mutated(source, mutant))
        try:
            code, output = self.run(["-x", *_deselected(left_out), *tests], self._limit)
        finally:
            self._write(path, source)
        if code is None:
            return Result(mutant, "timeout")
        if code == 0:
            return Result(mutant, "survived")
        failed = _FAILED.search(output)
        if code == _FAILED_TESTS and "Timeout (>" in output:
            return Result(mutant, "timeout", failed[1] if failed else "")
        return Result(mutant, "killed", failed[1] if failed else f"exit code {code}")

    def run(
        self, arguments: Sequence[str], limit: float, more: Mapping[str, str] | None = None
    ) -> tuple[int | None, str]:
        """Run pytest on a fresh database; returns its exit code and output, None after ``limit`` seconds.

        ``more``: further variables of its environment.
        """
        self._fresh()
        if self._stopped:
            return None, ""
        with subprocess.Popen(
            [sys.executable, *_PYTEST, *arguments],
            cwd=self.tree,
            env={**self._environment, **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._process = process
            try:
                output, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return None, ""
        return process.returncode, output

    def stop(self) -> None:
        """Let what is running end at once, and nothing begin any more."""
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _write(self, path: Path, source: str) -> None:
        """Write it with a time of its own, in whole seconds: compiled modules are told apart by size and that."""
        path.write_text(source)
        self._writes += 1
        moment = time.time() + 10 * self._writes
        os.utime(path, (moment, moment))

    def _fresh(self) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            _drop(admin, f"test_{self._name}")
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(f"test_{self._name}"), sql.Identifier(_DATABASE)
                )
            )
        with Redis.from_url(self._redis_url) as redis:
            redis.flushdb()

    def drop(self) -> None:
        """Leave nothing behind on a server that is not ours."""
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            _drop(admin, f"test_{self._name}")
        with Redis.from_url(self._redis_url) as redis:
            redis.flushdb()


class Reach:
    """Which tests reach which line, room by room, and which tests fail without a change."""

    def __init__(self) -> None:
        self.failing: dict[str, list[str]] = {}
        self._tests: dict[str, dict[int, set[str]]] = {}

    def measure(self, bench: Bench, room: str, paths: Collection[str]) -> None:
        """Run a room's tests once, and see which of them reach these modules. MutantsError if they can't be run."""
        data, settings = bench.tree / f".coverage.{room}", bench.tree / f".coveragerc.{room}"
        # Nothing but what is asked for: to write down each test's lines of every module takes longer than the tests.
        settings.write_text("\n    ".join(["[run]\nbranch = False\ninclude =", *sorted(paths)]))
        options = ["--cov=", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
        options += ["--timeout", str(_BASE_SECONDS)]
        more = {"COVERAGE_FILE": str(data)}
        tests = [
            f"tests/migration_app/{room}",
            *(f"tests/migration_app/{other}" for other in TRIED_THROUGH.get(room, ())),
            *(name for path in paths for name in namesakes(bench.tree, path)),
        ]
        code, output = bench.run([*options, *dict.fromkeys(sorted(tests))], _BASE_SECONDS, more)
        if code not in (0, _FAILED_TESTS):
            raise MutantsError(f"the tests of {room} can't be run: {output[-2000:] or 'they take too long'}")
        self.failing[room] = sorted(set(_FAILED.findall(output)))
        measured = CoverageData(basename=str(data))
        measured.read()
        for file in measured.measured_files():
            self._tests[str(Path(file).relative_to(bench.tree))] = {
                line: {context.rpartition("|")[0].split("[", 1)[0] for context in contexts if "|" in context}
                for line, contexts in measured.contexts_by_lineno(file).items()
            }

    def tests_of(self, mutant: Mutant, root: Path) -> list[str]:
        """What to run: the tests that reach it, those of the module first; all where only the import does."""
        room = Path(mutant.path).parts[1]
        reached: set[str] = set()
        lines = self._tests.get(module_of(mutant.path), {})
        if is_sql(mutant.path):
            reached = set().union(*lines.values())
        elif mutant.first is not None and mutant.last is not None:
            reached = set().union(*(lines.get(line, ()) for line in range(mutant.first, mutant.last + 1)))
        if not reached:  # or only a process of its own does, whose lines are not measured
            folder = root / "tests" / "migration_app" / room
            reached = {str(file.relative_to(root)) for file in folder.rglob("test_*.py")}
            reached.update([_OF_CONSTANTS, *namesakes(root, mutant.path)])
        mirrored = mirror_of(mutant.path)
        failing = set(self.failing.get(room, ()))
        own = f"tests/migration_app/{room}/"  # a room's own tests are the quickest to notice
        return sorted(
            reached - failing,
            key=lambda test: (not test.startswith(mirrored), not test.startswith(own), test),
        )


def module_of(path: str) -> str:
    """The module that reads a file of statements; any other path is its own."""
    return str(Path(path).with_suffix(".py"))


def mirror_of(path: str) -> str:
    """How the paths of a module's own tests begin."""
    module = Path(path)
    return str(Path("tests") / module.parent / f"test_{module.stem}")


def namesakes(root: Path, path: str) -> list[str]:
    """Tests of the module's name in other rooms: some services are tried out by what calls them."""
    room, name = Path(path).parts[1], Path(path).stem
    files = (root / "tests" / "migration_app").rglob(f"test_{name}.py")
    found = (file.relative_to(root) for file in files)
    return sorted(str(file) for file in found if file.parts[2] != room)


def main(arguments: Sequence[str]) -> int:
    """Try what the command line asks for."""
    options = _options(arguments)
    mutants = candidates(_ROOT, options.rooms)
    seed = None if options.at else options.seed
    if options.at:
        path, _, line = options.at.partition(":")
        chosen = [one for one in mutants if one.path.endswith(path) and (not line or one.line == int(line))]
    else:
        chosen = drawn(mutants, options.count, options.seed)
    sys.stdout.write(f"{len(chosen)} of {len(mutants)} mutants, seed {seed}\n")
    if options.list:
        sys.stdout.writelines(f"{mutant}\n" for mutant in chosen)
        return 0
    try:
        results, failing = _tried(chosen, options)
    except (MutantsError, DevServerError) as error:
        sys.stderr.write(f"tests.mutation.mutants: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    found = summary(results, seed=seed, tree=digest_of(_ROOT, options.rooms), failing=failing)
    for test in failing:
        sys.stdout.write(f"fails without a change, left out: {test}\n")
    for outcome in ("timeout", "survived"):
        for result in results:
            if result.outcome == outcome:
                sys.stdout.write(f"{outcome}: {result.mutant}\n")
    sys.stdout.write(
        f"{found['killed']} killed, {found['timeout']} timeout, {found['survived']} survived of {found['total']}:"
        f" {found['percent']} %\n{json.dumps(found, ensure_ascii=False)}\n"
    )
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation.mutants", description="Small wrongs in the code: do the tests notice?"
    )
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="default: a new one")
    parser.add_argument("--count", type=int, default=60, help="how many mutants (60)")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS), help="default: all of them")
    parser.add_argument(
        "--at", metavar="PATH[:LINE]", help="every mutant of this place, instead of drawn ones"
    )
    parser.add_argument("--workers", type=int, default=2, help="mutants at the same time (2)")
    parser.add_argument("--limit", type=float, default=300, help="seconds for all tests of one mutant (300)")
    parser.add_argument("--list", action="store_true", help="only say which mutants")
    return parser.parse_args(arguments)


def _tried(chosen: Sequence[Mutant], options: argparse.Namespace) -> tuple[list[Result], list[str]]:
    reach = Reach()
    with (
        volatile_state() as state,
        running(state, volatile=True) as urls,
        tempfile.TemporaryDirectory(prefix="console-mutants-") as folder,
        ThreadPoolExecutor(options.workers) as pool,
    ):
        _migrate(urls)
        benches: queue.SimpleQueue[Bench] = queue.SimpleQueue()
        made = []
        for number in range(1, options.workers + 1):
            tree = Path(folder).resolve() / str(number)
            shutil.copytree(_ROOT, tree, ignore=_LEFT_OUT, symlinks=True)
            made.append(Bench(tree, number, urls, options.limit))
            benches.put(made[-1])

        def measure(room: str) -> None:
            bench = benches.get()
            try:
                paths = {module_of(one.path) for one in chosen if Path(one.path).parts[1] == room}
                reach.measure(bench, room, paths)
                sys.stderr.write(f"… the tests of {room} are measured\n")
            finally:
                benches.put(bench)

        def try_out(mutant: Mutant) -> Result:
            bench = benches.get()
            try:
                tests = reach.tests_of(mutant, _ROOT)
                result = bench.try_out(mutant, tests, reach.failing[Path(mutant.path).parts[1]])
                sys.stderr.write(f"… {result.outcome}: {mutant} {result.by}\n")
                return result
            finally:
                benches.put(bench)

        try:
            rooms = sorted({Path(mutant.path).parts[1] for mutant in chosen})
            list(pool.map(measure, rooms))
            results = list(pool.map(try_out, chosen))
        except BaseException:  # a Ctrl-C too: what runs has a session of its own and does not hear of it
            pool.shutdown(wait=False, cancel_futures=True)
            for bench in made:
                bench.stop()
            pool.shutdown()
            raise
        finally:
            for bench in made:
                bench.drop()
            with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as admin:
                _drop(admin, _DATABASE)
    return results, sorted(test for tests in reach.failing.values() for test in tests)


def _migrate(urls: Mapping[str, str]) -> None:
    """The database that all others are copies of. MutantsError if somebody has one of that name."""
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as admin:
        try:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
        except psycopg.errors.DuplicateDatabase:
            raise MutantsError(
                f"there is a database {_DATABASE} already: drop it if no other run has it"
            ) from None
    environment = _environment(urls["DATABASE_URL"], _DATABASE, urls["REDIS_URL"])
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=_ROOT, env={**environment, "SECRET_KEY": "mutants-only"}, check=True)


def _environment(database_url: str, name: str, redis_url: str) -> dict[str, str]:
    database = urlsplit(database_url)._replace(path=f"/{name}").geturl()
    return {**os.environ, "CONSOLE_ENV_FILE": "", "DATABASE_URL": database, "REDIS_URL": redis_url}


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _deselected(tests: Sequence[str]) -> list[str]:
    return [f"--deselect={test}" for test in tests]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
