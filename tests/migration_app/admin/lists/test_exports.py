from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import pytest

from migration_app.admin.lists import exports
from migration_app.models import AuditEvent, OrphanConversation
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import batch_made, thread_made

BATCHES = "/admin/migration_app/batch/"
ORPHANS = "/admin/migration_app/orphanconversation/"
AUDIT = "/admin/migration_app/auditevent/"
WHEN = dt.datetime(2026, 11, 26, 14, 30, 5, tzinfo=dt.UTC)


def lines(response: Any) -> list[dict[str, str]]:
    assert response["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def test_a_download_has_the_rows_that_the_list_is_narrowed_to(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_AT_ONCE", 2)
    failed = [batch_made(state="failed", reason=f"ticket {number}") for number in range(5)]
    batch_made(state="finished")
    client = log_in("viewer")
    assert (
        f'action="{BATCHES}list/export/?state__exact=failed"'
        in client.get(BATCHES, {"state__exact": "failed"}).content.decode()
    )
    found = lines(client.post(f"{BATCHES}list/export/?state__exact=failed"))
    assert [row["batch"] for row in found] == [str(batch.pk) for batch in failed]
    assert found[0]["reason"] == "ticket 0"


def test_moments_are_utc_and_say_so_whatever_the_viewer_s_zone(log_in: LogIn) -> None:
    batch_made(finished_at=WHEN)
    client = log_in("viewer")
    client.cookies["zone"] = "Asia/Tokyo"
    (row,) = lines(client.post(f"{BATCHES}list/export/"))
    assert row["finished (UTC)"] == "2026-11-26 14:30:05"
    assert row["approved (UTC)"] == ""


def test_a_cell_is_no_formula(log_in: LogIn) -> None:
    thread = thread_made(thread_id="=cmd()")
    OrphanConversation.objects.create(thread=thread, intended_at=WHEN, reason="+lost", metadata_keys=["@key"])
    (row,) = lines(log_in("viewer").post(f"{ORPHANS}list/export/"))
    assert (row["thread_id"], row["reason"], row["recognised_by"]) == ("'=cmd()", "'+lost", "'@key")


def test_a_download_is_in_the_audit_trail_without_the_text_of_a_search(log_in: LogIn) -> None:
    thread_made(thread_id="thread_secret")
    client = log_in("viewer")
    lines(client.post(f"{ORPHANS}list/export/?state__exact=open&q=thread_secret"))
    event = AuditEvent.objects.get(verb="list.exported")
    assert (event.actor, event.subject_kind, event.subject_id) == ("viewer", "list", "orphan conversations")
    assert event.reason == "a search; state: open"


def test_the_trail_of_a_day_is_downloaded(log_in: LogIn) -> None:
    AuditEvent.objects.create(actor="ada", verb="thread.queued", subject_kind="thread", subject_id="t")
    client = log_in("viewer")
    assert lines(client.post(f"{AUDIT}list/export/?at_to=1999-01-01")) == []
    found = lines(client.post(f"{AUDIT}list/export/?verb__exact=thread.queued"))
    assert [(row["actor"], row["verb"], row["subject_id"]) for row in found] == [
        ("ada", "thread.queued", "t")
    ]


def test_only_those_who_see_the_list_download_it_and_only_by_post(log_in: LogIn) -> None:
    assert log_in("newcomer").post(f"{BATCHES}list/export/").status_code == 403
    client = log_in("viewer")
    response = client.get(f"{BATCHES}list/export/?state__exact=failed")
    assert response.status_code == 302
    assert client.post("/admin/migration_app/conversation/list/export/").status_code == 404
    assert client.post(f"{BATCHES}list/export/?nothing=x").status_code == 400
    assert not AuditEvent.objects.filter(verb="list.exported").exists()
