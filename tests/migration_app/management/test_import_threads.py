"""``manage.py import_threads`` as an operator meets it."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from migration_app.management import imports
from migration_app.models import SourceImport, Thread

pytestmark = pytest.mark.django_db


def test_ids_are_registered_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("thread_id,user_ref\nthread_1,u\nthread_2,\nthread_1,\n,x\n")
    call_command("import_threads", str(path))
    output = capsys.readouterr()
    assert "2 new threads, 0 known already (0 completed), 1 repeated lines, 1 rejected." in output.out
    assert "ids.csv.rejects.jsonl" in output.err
    assert Thread.objects.count() == 2


def test_a_file_without_ids_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("name,age\nada,36\n")
    with pytest.raises(CommandError, match="could not be imported"):
        call_command("import_threads", str(path))
    assert "must be a header" in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        call_command("import_threads", str(tmp_path / "gone.csv"))


def test_a_directory_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is a directory: name the files in it"):
        call_command("import_threads", str(tmp_path))


def test_a_reject_file_without_room_fails_the_import_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(_path: Path, *_arguments: Any, **_keywords: Any) -> Any:
        return Full()

    monkeypatch.setattr(imports, "private_open", opened)
    path = tmp_path / "ids.csv"
    path.write_text("thread_id\nthread_1\na b\n")
    with pytest.raises(CommandError, match="could not be imported"):
        call_command("import_threads", str(path))
    assert "A disk is full" in capsys.readouterr().err
    assert not Thread.objects.exists()
    assert SourceImport.objects.get().state == "failed"
