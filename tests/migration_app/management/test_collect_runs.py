"""``manage.py collect_runs``."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from migration_app.models import Run
from tests.migration_app.imports.support import message
from tests.migration_app.snapshots.test_runs import run, snapshotted

pytestmark = pytest.mark.django_db


def collected(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("collect_runs", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_runs_of_older_snapshots_are_listed_and_counted_in_words() -> None:
    row = snapshotted(message("m1"), run("run_1"), run("run_2"), run_count=2)
    out, err = collected()
    assert out == "2 runs of 1 threads are written.\n"
    assert err == f"1 threads read, 2 runs written; at number {row.pk}\n"
    assert Run.objects.count() == 2


def test_started_again_it_reads_nothing_twice() -> None:
    snapshotted(message("m1"), run("run_1"), run_count=1)
    collected()
    assert collected() == ("0 runs of 0 threads are written.\n", "")


def test_it_goes_on_behind_a_number() -> None:
    row = snapshotted(message("m1"), run("run_1"), run_count=1)
    assert collected("--everything", "--after", str(row.pk))[0] == "0 runs of 0 threads are written.\n"
