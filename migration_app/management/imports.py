"""What the commands that read files share: opening, progress, the reject file, the summary."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from migration_app import jobs
from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import ArchiveUnreadableError
from migration_app.contracts import Actor
from migration_app.imports.disk import DiskFullError
from migration_app.imports.imports import PART_BYTES, import_create, import_read, import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.management.private_files import private_open
from migration_app.models import SourceImport
from migration_app.tasks.lifecycle import TaskLostError

_LINE_SECONDS = 10.0
_REJECTS = ".rejects.jsonl"
_SHOWN_COUNTS = (
    ("documents", "lines read"),
    ("threads", "threads touched"),
    ("threads_new", "new threads"),
    ("messages", "messages"),
    ("runs", "runs"),
    ("steps", "run steps"),
    ("assistants", "assistants"),
    ("files", "files"),
    ("vector_stores", "vector stores"),
    ("states", "later states"),
    ("unchanged", "known already"),
    ("conflicts", "conflicts"),
    ("deletions", "deleted at the source"),
    ("marks", "rejected of known threads"),
    ("skipped", "skipped"),
    ("lists_left_open", "unfinished lists"),
)


class RejectFile:
    """The file of rejects, made when the first one comes: JSON Lines of line, reason and raw text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._stack = contextlib.ExitStack()
        self._is_broken = False

    def __enter__(self) -> RejectFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
        except OSError as broken:
            if not self._is_broken:  # else it was said when it happened
                raise CommandError(
                    f"{self.path} is incomplete: {broken.strerror}. The import itself is done; free space, then import "
                    "the file again for the list of its rejects: what is stored is skipped."
                ) from broken

    def write(self, reject: Reject) -> None:
        """Append one. Bytes that are no UTF-8 are given as base64."""
        if not self.count:
            self._file = self._stack.enter_context(private_open(self.path, encoding="utf-8"))
        self.count += 1
        entry: dict[str, object] = {"line": reject.line_number, "reason": reject.reason}
        try:
            entry["raw"] = reject.raw.decode()
        except UnicodeDecodeError:
            entry["raw_base64"] = base64.b64encode(reject.raw).decode()
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError:
            self._is_broken = True
            raise


def files_listed(names: Sequence[str]) -> list[str]:
    """The same names, each directory replaced by its files in the order of their names, without reject files."""
    listed: list[str] = []
    for name in names:
        path = Path(name)
        if not path.is_dir():
            listed.append(name)
            continue
        files = sorted(
            str(file) for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
        )
        files = [file for file in files if not file.endswith(_REJECTS)]
        if not files:
            raise CommandError(f"There is no file in the directory {path}.")
        listed += files
    return listed


def files_checked(names: Sequence[str]) -> list[Path]:
    """The files as paths. CommandError names the first that is none, before anything is read."""
    paths = [Path(name) for name in names]
    for path in paths:
        if path.is_dir():
            raise CommandError(f"{path} is a directory: name the files in it, for instance {path}/*.jsonl")
        if not path.exists():
            raise CommandError(f"There is no file {path}.")
        if not path.is_file():
            # A pipe can be read once only, and a file is checked before it is imported.
            raise CommandError(f"{path} is no regular file: save what it gives to a file first.")
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise CommandError(f"{path} can't be opened: {error.strerror}.") from error
    return paths


def reject_path(path: Path, wanted: str | None, *, several: bool) -> Path:
    """Where a file's rejects go: as asked for, beside the file, or here if one may not write there."""
    if wanted:
        target = Path(wanted)
        return target.with_name(f"{target.stem}.{path.name}{target.suffix}") if several else target
    name = f"{path.name}{_REJECTS}"
    beside = path.parent / name
    try:
        existed = beside.exists()
        with beside.open("a"):
            pass
        if not existed:
            beside.unlink()
    except OSError:
        return Path(name)
    return beside


def file_import(
    command: BaseCommand, *, path: Path, kind: str, reason: str, actor: Actor, rejects: RejectFile
) -> SourceImport | None:
    """Read one file with progress. None if it failed; why was said on standard error."""
    size = path.stat().st_size
    source_import = import_create(kind=kind, file_name=path.name, file_bytes=size, actor=actor, reason=reason)
    try:
        with path.open("rb") as stream, _progress(path, size) as progress:
            import_read(
                source_import=source_import,
                stream=stream,
                actor=actor,
                reject_sink=rejects.write,
                progress=progress,
            )
    except (ArchiveUnreadableError, DiskFullError, TaskLostError) as error:
        command.stderr.write(command.style.ERROR(f"{path}: {error}"))
        return None
    return source_import


def file_queue(*, path: Path, kind: str, reason: str, actor: Actor) -> SourceImport:
    """Upload one file as an import of its own, for any worker to read. CommandError if there is no room for it."""
    try:
        with path.open("rb") as stream, transaction.atomic():
            chunks = iter(partial(stream.read, PART_BYTES), b"")
            waiting = import_receive(
                kind=kind, file_name=path.name, chunks=chunks, actor=actor, reason=reason
            )
            jobs.enqueue(IMPORT_TASK, waiting.pk)
    except DiskFullError as error:
        raise CommandError(f"{path}: {error}") from error
    return waiting


def summary_print(command: BaseCommand, path: Path, source_import: SourceImport, rejects: RejectFile) -> None:
    """Say what went in, what was left out, and where the rejects lie."""
    command.stdout.write(str(path))
    table = Table(show_header=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, label in _SHOWN_COUNTS:
        if source_import.counts.get(name):
            table.add_row(label, f"{source_import.counts[name]:,}")
    table.add_row("rejected", f"{source_import.reject_count:,}")
    Console(file=cast("IO[str]", command.stdout)).print(table)
    for note in source_import.notes:
        command.stderr.write(command.style.WARNING(note))
    if rejects.count:
        command.stderr.write(
            command.style.WARNING(
                f"{rejects.count:,} rejected, with line numbers and reasons: {rejects.path}"
            )
        )


class _Reporter:
    """Progress as plain lines, for logs."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self._last = time.monotonic()

    def __call__(self, done: int, unit: str) -> None:
        if time.monotonic() - self._last < _LINE_SECONDS:
            return
        self._last = time.monotonic()
        share = f" ({done * 100 // self._size} %)" if unit == "bytes" and self._size else ""
        sys.stderr.write(f"{self._path.name}: {done:,} {unit}{share}\n")


@contextlib.contextmanager
def _progress(path: Path, size: int) -> Iterator[_Reporter | _Bar]:
    if not sys.stderr.isatty():
        yield _Reporter(path, size)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar, path, size)


class _Bar:
    """Progress as a bar: bytes of the file, then the threads that are assessed."""

    def __init__(self, bar: Progress, path: Path, size: int) -> None:
        self._bar = bar
        self._path = path
        self._task = bar.add_task(path.name, total=size)

    def __call__(self, done: int, unit: str) -> None:
        if unit == "bytes":
            self._bar.update(self._task, completed=done)
        else:
            self._bar.update(self._task, description=f"{self._path.name}: {done:,} threads assessed")
