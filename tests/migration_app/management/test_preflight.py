"""``manage.py preflight`` as an operator meets it, and policies given to ``manage.py backfill``."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from migration_app.batches import preflight as preflight_module
from migration_app.batches.preflight_report import preflight_command
from migration_app.contracts import POLICIES_VERSION, Policies, policies_as_dict
from migration_app.management import batches
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.selections import selection_of_filters

pytestmark = pytest.mark.django_db


def thread(number: int, status: str = "snapshotted", **fields: object) -> Thread:
    return Thread.objects.create(thread_id=f"thread_{number}", status=status, **fields)


def run(*text: str) -> str:
    out = io.StringIO()
    call_command("preflight", *text, stdout=out, stderr=io.StringIO())
    return " ".join(out.getvalue().split())


def test_it_tells_what_would_be_sent_and_what_is_left_out() -> None:
    thread(1, message_count=3, item_count=45, chunk_count=3, payload_bytes=2_500, fidelity="lossy")
    thread(2, "verified")
    said = run("--all")
    assert "Figures under default policies." in said
    assert "2 matching, 1 of them included" in said
    assert "45 items 3 chunks 6 API calls 2,500 bytes of items" in said
    assert "Skipped, by status: 1 verified" in said
    assert "Fidelity: 1 lossy" in said
    assert "45 thread_1, 3 chunks" in said


def test_it_tells_findings_and_what_each_policy_decides_about() -> None:
    thread(1, finding_counts={"image_on_assistant": 3})
    said = run("--thread", "thread_1")
    assert "1 image_on_assistant (lossy), 3 times" in said
    assert "1 assistant_images=placeholder, 3 parts" in said


def test_it_changes_nothing() -> None:
    thread(1, finding_counts={"image_on_assistant": 3})
    before = list(Thread.objects.values())
    run("--all", "--policy", "assistant_images=block")
    assert list(Thread.objects.values()) == before
    assert (Batch.objects.count(), AuditEvent.objects.count()) == (0, 0)


def test_it_converts_as_many_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_module, "CONVERTED_THREADS", 0)
    thread(1, finding_counts={"image_on_assistant": 3})
    assert "Figures under assistant_images=block." in run("--all", "--policy", "assistant_images=block")


def test_everything_is_written_as_csv_with_formulas_made_safe(tmp_path: Path) -> None:
    Thread.objects.create(thread_id="=1+1", status="snapshotted", item_count=2, chunk_count=1)
    path = tmp_path / "preflight.csv"
    assert str(path) in run("--all", "--csv", str(path))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["section", "name", "detail", "threads", "count"]
    assert ["total", "items", "", "1", "2"] in rows
    assert ["longest", "'=1+1", "0 messages, 2 items", "1", "1"] in rows


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be written"):
        run("--all", "--csv", str(tmp_path / "none" / "preflight.csv"))


def test_the_command_that_a_page_prints_counts_the_same_selection() -> None:
    thread(1, "failed", user_ref="a b", snapshot_at="2026-01-01T00:00Z", item_count=5, chunk_count=1)
    thread(2, "failed", user_ref="c", snapshot_at="2026-01-01T00:00Z", item_count=7, chunk_count=1)
    selection = selection_of_filters({"user_ref__exact": "a b"}, search="thread_1")
    command = shlex.split(preflight_command(selection, "retry", Policies(attachments="note")))
    assert command[:2] == ["manage.py", "preflight"]
    said = run(*command[2:])
    assert "Figures under attachments=note." in said
    assert "1 matching, 1 of them included" in said
    assert "5 items" in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (["--all", "--policy", "attachments"], "takes NAME=CHOICE"),
        (["--all", "--policy", "attachments=shred"], "it can be: input_file"),
        (["--all", "--policy", "colour=red"], "there are: assistant_images"),
        (["--all", "--policy", "attachments=note", "--policy", "attachments=input_file"], "given twice"),
        (["--filter", "status"], "takes NAME=VALUE"),
        (["--filter", "lease_token=x"], "lease_token"),
        (["--filter", "batch__id__exact=x"], "can't be read"),
        (["--thread", "thread_none"], "Import these threads first"),
        (["--thread", "thread_1", "--search", "x"], "not with --thread"),
        ([], "one of the arguments"),
    ],
)
def test_bad_options_are_explained(text: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run(*text)


def backfill(monkeypatch: pytest.MonkeyPatch, *text: str) -> None:
    enqueued: list[Any] = []
    monkeypatch.setattr(batches, "enqueue", lambda _kind, pk: enqueued.append(pk))
    monkeypatch.setattr(batches, "workers_missing", lambda: "")
    call_command("backfill", "--all", *text, stdout=io.StringIO())


def test_a_backfill_keeps_the_policies_given_and_the_audit_trail_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backfill(monkeypatch, "--policy", "assistant_images=block", "--policy", "file_search=native")
    chosen = policies_as_dict(Policies(assistant_images="block", file_search="native"))
    assert Batch.objects.get().settings == {"policies": chosen, "policies_version": POLICIES_VERSION}
    reason = AuditEvent.objects.get(verb="batch.backfill_started").reason
    assert reason == "manage.py backfill [assistant_images=block, file_search=native]"


def test_a_backfill_under_an_unknown_policy_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="there are: assistant_images"):
        backfill(monkeypatch, "--policy", "colour=red")
    assert not Batch.objects.exists()
