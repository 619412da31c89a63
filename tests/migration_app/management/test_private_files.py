from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from console.devservers import processes
from migration_app.contracts import Actor
from migration_app.management.private_files import private_open
from migration_app.reconciliation.records import reconciliation_create
from tests.migration_app.admin.estate import thread_made


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """As on most machines: what is made without a thought is readable by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.django_db
def test_rejects_are_for_whoever_imported(tmp_path: Path) -> None:
    archive = tmp_path / "a.jsonl"
    archive.write_text('{"id": "thread_1", "object": "thread", "created_at": 1}\n{broken\n')
    call_command("import_archive", str(archive), stdout=io.StringIO(), stderr=io.StringIO())
    assert mode(tmp_path / "a.jsonl.rejects.jsonl") == "0o600"


@pytest.mark.django_db
def test_a_mapping_is_for_whoever_exported_it_also_over_an_older_one(tmp_path: Path) -> None:
    thread_made()
    target = tmp_path / "mapping.csv"
    target.write_text("old")
    call_command("export_mapping", output=str(target), stdout=io.StringIO(), stderr=io.StringIO())
    assert target.read_text() != "old"
    assert mode(target) == "0o600"


@pytest.mark.django_db
def test_reports_are_for_whoever_asked_for_them(tmp_path: Path) -> None:
    row = reconciliation_create(sample_size=None, actor=Actor("ada"))
    with pytest.raises(SystemExit):
        call_command(
            "reconcile", report=row.pk, csv=tmp_path / "found.csv", stdout=io.StringIO(), stderr=io.StringIO()
        )
    call_command("preflight", all=True, csv=tmp_path / "preflight.csv", stdout=io.StringIO())
    assert {mode(path) for path in tmp_path.iterdir()} == {"0o600"}


def test_an_open_file_is_closed_to_others_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "left.csv"
    path.write_text("old")
    path.chmod(0o644)
    with private_open(path) as file:
        assert mode(path) == "0o600"
        file.write("new")
    assert path.read_text() == "new"


def test_a_device_keeps_its_mode() -> None:
    before = mode(Path(os.devnull))
    with private_open(Path(os.devnull)) as file:
        file.write("x")
    assert mode(Path(os.devnull)) == before


def test_the_log_of_an_embedded_server_is_for_its_owner(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("of an earlier run")
    log.chmod(0o644)
    process = processes.spawn(["/bin/echo", "statement"], directory=tmp_path, log=log)
    process.wait()
    assert log.read_text() == "statement\n"
    assert mode(log) == "0o600"
