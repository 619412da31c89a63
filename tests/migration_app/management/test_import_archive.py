"""``manage.py import_archive`` as an operator meets it."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from migration_app import jobs
from migration_app.contracts import Actor
from migration_app.imports.imports import IMPORTS, import_work
from migration_app.management import imports
from migration_app.management.imports import reject_path
from migration_app.models import AuditEvent, SourceImport, Thread
from tests.migration_app.imports.support import lines, message

pytestmark = pytest.mark.django_db


def written(folder: Path, data: bytes, name: str = "dump.jsonl") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def counted(output: str, label: str) -> str:
    found = re.search(rf"{label} *│ *([\d,]+)", output)
    assert found, output
    return found.group(1)


def test_a_file_is_imported_and_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, gzip.compress(lines(message("m1"), message("m2", 120))), "dump.jsonl.gz")
    call_command("import_archive", path, "--reason", "the first half")
    output = capsys.readouterr().out
    assert path in output.replace("\n", "")
    assert (counted(output, "messages"), counted(output, "rejected")) == ("2", "0")
    assert Thread.objects.get().message_count == 2
    assert AuditEvent.objects.get(verb="import.created").reason == "the first half"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dump.jsonl.gz"]


def test_rejects_go_to_a_file_beside_it_and_are_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("import_archive", written(tmp_path, lines(message("m1")) + b"oops\n\xff\n"))
    rejects = [json.loads(line) for line in (tmp_path / "dump.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [(entry["line"], entry.get("raw"), entry.get("raw_base64")) for entry in rejects] == [
        (2, "oops", None),
        (3, None, "/w=="),
    ]
    assert "dump.jsonl.rejects.jsonl" in capsys.readouterr().err


def test_rejects_go_where_they_are_asked_to(tmp_path: Path) -> None:
    target = tmp_path / "bad.jsonl"
    call_command(
        "import_archive", written(tmp_path, lines(message("m1")) + b"oops\n"), "--reject-file", str(target)
    )
    assert target.read_text().count("oops") == 1


def test_several_files_have_a_reject_file_each(tmp_path: Path) -> None:
    paths = [written(tmp_path, lines(message("m1")) + b"oops\n", name) for name in ("a.jsonl", "b.jsonl")]
    call_command("import_archive", *paths, "--reject-file", str(tmp_path / "bad.jsonl"))
    assert sorted(entry.name for entry in tmp_path.glob("bad*")) == ["bad.a.jsonl.jsonl", "bad.b.jsonl.jsonl"]


def test_transcripts_are_known_by_their_shape(tmp_path: Path) -> None:
    line = {"thread_id": "chat-1", "messages": [{"role": "user", "content": "x"}]}
    call_command("import_archive", written(tmp_path, json.dumps(line).encode()))
    call_command("import_archive", written(tmp_path, b"thread_id,role,content\nt,user,x\n", "rows.csv"))
    assert set(SourceImport.objects.values_list("kind", flat=True)) == {"transcripts"}


def test_a_missing_file_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no file .*gone\.jsonl"):
        call_command("import_archive", written(tmp_path, lines(message("m1"))), str(tmp_path / "gone.jsonl"))
    assert not SourceImport.objects.exists()


def test_the_files_of_a_directory_are_imported_in_the_order_of_their_names(tmp_path: Path) -> None:
    written(tmp_path, lines(message("m2", 120)), "b.jsonl")
    written(tmp_path, lines(message("m1")), "a.jsonl")
    written(tmp_path, b'{"line": 1}', "a.jsonl.rejects.jsonl")
    written(tmp_path, b"no archive", ".hidden")
    (tmp_path / "inner").mkdir()
    call_command("import_archive", str(tmp_path))
    names = SourceImport.objects.order_by("pk").values_list("file_name", "state")
    assert list(names) == [("a.jsonl", "finished"), ("b.jsonl", "finished")]


def test_a_directory_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file in the directory"):
        call_command("import_archive", str(tmp_path))


def test_files_that_are_left_to_the_workers_wait_as_imports_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[int] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _kind, pk: enqueued.append(pk))
    written(tmp_path, lines(message("m1")), "a.jsonl")
    written(tmp_path, b"thread_id,role,content\nt,user,x\n", "b.csv")
    call_command("import_archive", "--queue", str(tmp_path), "--reason", "all of them")
    rows = SourceImport.objects.order_by("pk")
    assert [(row.file_name, row.kind, row.state, row.reason) for row in rows] == [
        ("a.jsonl", "archive", "waiting", "all of them"),
        ("b.csv", "transcripts", "waiting", "all of them"),
    ]
    assert enqueued == IMPORTS.waiting() == [row.pk for row in rows]
    assert f"a.jsonl: import {enqueued[0]}" in capsys.readouterr().out
    assert all(import_work(source_import_pk=pk, actor=Actor("worker")) for pk in enqueued)
    assert Thread.objects.count() == 2


def test_a_file_that_cannot_be_read_fails_and_the_others_go_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = written(tmp_path, b"PK\x03\x04....", "bad.zip")
    with pytest.raises(CommandError, match="1 of 2 files"):
        call_command("import_archive", bad, written(tmp_path, lines(message("m1"))))
    assert "ZIP" in capsys.readouterr().err
    assert Thread.objects.count() == 1


def test_a_pipe_is_refused_for_its_beginning_would_be_lost(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CommandError, match="no regular file: save what it gives to a file first"):
        call_command("import_archive", str(tmp_path / "pipe"))


def test_an_empty_file_is_named_with_its_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="1 of 1 files"):
        call_command("import_archive", written(tmp_path, b""))
    assert "dump.jsonl: The file is empty." in capsys.readouterr().err


def test_what_the_files_hold_may_be_said(tmp_path: Path) -> None:
    call_command("import_archive", written(tmp_path, lines(message("m1"))), "--kind", "transcripts")
    assert SourceImport.objects.get().kind == "transcripts"


def test_where_one_may_not_write_beside_the_file_rejects_go_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reject_path(Path("/proc/version"), None, several=False) == Path("version.rejects.jsonl")


def test_a_second_import_leaves_the_first_one_s_reject_file_until_there_are_new_rejects(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, lines(message("m1")) + b"oops\n")
    call_command("import_archive", path)
    written(tmp_path, lines(message("m1")))
    call_command("import_archive", path)
    assert (tmp_path / "dump.jsonl.rejects.jsonl").read_text().count("oops") == 1


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_LINE_SECONDS", -1.0)
    call_command("import_archive", written(tmp_path, lines(message("m1"))))
    told = capsys.readouterr().err
    assert "dump.jsonl: " in told
    assert "bytes (100 %)" in told
    assert "dump.jsonl: 1 threads" in told


def test_progress_is_a_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    call_command("import_archive", written(tmp_path, lines(message("m1"))))
    assert Thread.objects.get().message_count == 1


def test_a_file_that_may_not_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, lines(message("m1")))
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(CommandError, match=r"dump\.jsonl can't be opened: Permission denied\."):
        call_command("import_archive", path)
