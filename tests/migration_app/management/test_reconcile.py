"""``manage.py reconcile`` as an operator meets it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from migration_app.management.commands import reconcile as command_module
from migration_app.models import AuditEvent, Reconciliation, Thread
from migration_app.reconciliation.records import reconciliation_create
from migration_app.reconciliation.work import reconcile_work
from tests.migration_app.copied import ACTOR, copied_thread, delete_conversation
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db


def run(*text: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("reconcile", *text, stdout=out, stderr=err)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, " ".join(out.getvalue().split()), " ".join(err.getvalue().split())


@pytest.fixture
def gone(sandbox: RunningSandbox) -> Thread:
    """One thread whose conversation is gone, beside one that is well."""
    copied_thread("thread_well")
    thread = copied_thread("thread_gone")
    delete_conversation(sandbox, thread)
    return thread


def test_an_estate_that_is_well_ends_with_zero(sandbox: RunningSandbox) -> None:
    copied_thread()
    code, out, err = run()
    assert code == 0
    assert "a sample of 1,000" in out
    assert "finished: error: 0, warning: 0, information: 0" in out
    assert "2 reading calls to the target for 1 conversations." in err


def test_an_error_is_shown_with_what_to_do_and_ends_with_one(gone: Thread) -> None:
    code, out, _err = run("--whole")
    assert code == 1
    assert "error: conversation_missing, 1 times." in out
    assert "Send the thread to review." in out
    assert "thread_gone" in out
    assert "thread_well" not in out


def test_counting_reads_nothing_and_changes_nothing(gone: Thread, sandbox: RunningSandbox) -> None:
    before = len(sandbox.control.requests())
    code, out, _err = run("--whole", "--count")
    assert (code, out) == (0, "4 reading calls to the target for 2 conversations.")
    assert len(sandbox.control.requests()) == before
    assert not Reconciliation.objects.exists()


def test_all_of_it_is_written_as_csv(gone: Thread, tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    code, _out, err = run("--whole", "--csv", str(path))
    assert code == 1
    assert f"{path} is written." in err
    with path.open(encoding="utf-8", newline="") as file:
        (found,) = csv.DictReader(file)
    assert (found["thread_id"], found["code"]) == ("thread_gone", "conversation_missing")


def test_a_file_that_cannot_be_written_is_named(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be written"):
        run("--csv", str(tmp_path / "none" / "found.csv"))


def test_the_report_as_json_is_all_that_stands_on_standard_output(gone: Thread) -> None:
    code, out, _err = run("--whole", "--json")
    report = json.loads(out)
    assert code == 1
    assert report["totals"]["error"] == 1
    assert [found["thread_id"] for found in report["discrepancies"]] == ["thread_gone"]


def test_json_of_nothing_found_is_json_too(sandbox: RunningSandbox) -> None:
    assert json.loads(run("--json")[1])["discrepancies"] == []


def test_what_differs_is_sent_to_review_only_when_asked_for(gone: Thread) -> None:
    run("--whole")
    gone.refresh_from_db()
    assert gone.status == "verified"
    _code, _out, err = run("--whole", "--review", "--reason", "told by ops")
    gone.refresh_from_db()
    assert (gone.status, gone.error_code) == ("needs_review", "conversation_missing")
    assert "1 threads were sent to review." in err
    assert "told by ops" in AuditEvent.objects.get(verb="thread.needs_review").reason


def test_only_the_checks_named_are_run(gone: Thread) -> None:
    code, out, _err = run("--whole", "--check", "records", "--check", "work")
    assert code == 0
    assert Reconciliation.objects.get().checks == ["work", "records"]
    assert "target:" not in out


def test_a_live_source_that_nobody_named_is_said(settings: Settings, sandbox: RunningSandbox) -> None:
    settings.SOURCE_BASE_URL = ""
    with pytest.raises(CommandError, match="set SOURCE_BASE_URL"):
        run("--live")


def test_the_first_only_are_shown(gone: Thread, sandbox: RunningSandbox) -> None:
    delete_conversation(sandbox, copied_thread("thread_also"))
    _code, out, _err = run("--whole", "--show", "1")
    assert "Only the first 1 are shown" in out
    assert "thread_also" not in out


def test_square_brackets_in_an_id_are_shown_as_they_are(sandbox: RunningSandbox) -> None:
    delete_conversation(sandbox, copied_thread("thread_[bold]x"))
    assert "thread_[bold]x" in run("--whole")[1]


def test_ctrl_c_stops_it_within_a_page_and_it_goes_on_where_it_was(
    gone: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = reconcile_work

    def interrupted(*arguments: object, **options: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return look(*arguments, **options)  # type: ignore[arg-type]  # handed through as they came

    monkeypatch.setattr(command_module, "reconcile_work", interrupted)
    code, _out, err = run("--whole")
    row = Reconciliation.objects.get()
    assert (code, row.state) == (130, "stopped")
    assert f"--resume {row.pk}" in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr(command_module, "reconcile_work", look)
    assert run("--resume", str(row.pk))[0] == 1


def test_one_that_stopped_goes_on_by_its_number(gone: Thread) -> None:
    row = reconciliation_create(checks=["target"], sample_size=None, actor=ACTOR)
    Reconciliation.objects.update(state="stopped")
    code, out, _err = run("--resume", str(row.pk))
    assert code == 1
    assert "thread_gone" in out


def test_one_that_is_over_or_unknown_can_t_go_on(sandbox: RunningSandbox) -> None:
    row = reconciliation_create(checks=["work"], sample_size=None, actor=ACTOR)
    Reconciliation.objects.update(state="finished")
    with pytest.raises(CommandError, match="nothing to resume"):
        run("--resume", str(row.pk))
    with pytest.raises(CommandError, match="There is no reconciliation 987654"):
        run("--report", "987654")


def test_an_earlier_one_is_reported_again(gone: Thread) -> None:
    run("--whole")
    code, out, _err = run("--report", str(Reconciliation.objects.get().pk))
    assert code == 1
    assert "thread_gone" in out


def test_one_that_failed_says_why_and_how_to_go_on(gone: Thread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(CommandError, match=r"OPENAI_API_KEY is not set .* --resume"):
        run("--whole")


def test_a_worker_does_it_when_asked_to(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(command_module, "enqueue", lambda _kind, pk: asked.append(pk))
    monkeypatch.setattr(command_module, "workers_missing", lambda: "No worker is running.")
    code, out, err = run("--queue")
    row = Reconciliation.objects.get()
    assert (code, asked, row.state) == (0, [row.pk], "queued")
    assert f"--report {row.pk}" in out
    assert "No worker is running" in err


@pytest.mark.parametrize("text", [["--sample", "0"], ["--sample", "x"], ["--whole", "--sample", "3"]])
def test_what_cant_be_asked_for_is_refused(text: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*text)


def test_a_window_that_is_too_wide_is_refused(sandbox: RunningSandbox) -> None:
    with pytest.raises(CommandError, match="1 to 256"):
        run("--window", "257")
