from __future__ import annotations

import errno
import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.imports import imports as imports_admin
from migration_app.admin.imports.imports import import_percent, import_progress_text, no_rejects_text
from migration_app.models import AuditEvent, ImportPart, ImportReject, SourceImport
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import import_made

UPLOAD = "/admin/migration_app/sourceimport/upload/"


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pks: list[int] = []
    monkeypatch.setattr(imports_admin, "enqueue", lambda _kind, pk: pks.append(pk))
    return pks


def upload(client: Client, content: bytes = b'{"object": "thread", "id": "t"}\n', **fields: Any) -> Any:
    file = SimpleUploadedFile("dump.jsonl", content)
    return client.post(UPLOAD, {"kind": "archive", "reason": "first import", "file": file, **fields})


def page_url(row: SourceImport) -> str:
    return reverse("admin:migration_app_sourceimport_change", args=[row.pk])


def rejected(row: SourceImport, raw: bytes = b"=the secret line") -> ImportReject:
    return ImportReject.objects.create(source_import=row, line_number=7, reason="Not JSON.", raw=raw)


def test_an_upload_is_kept_whole_and_enqueued(log_in: LogIn, enqueued: list[int]) -> None:
    content = b"x" * 3_000_000
    response = upload(log_in("operator"), content)
    row = SourceImport.objects.get()
    assert response["Location"] == page_url(row)
    assert b"".join(bytes(part.data) for part in ImportPart.objects.all()) == content
    assert (row.kind, row.state, row.file_name, row.file_bytes) == (
        "archive",
        "waiting",
        "dump.jsonl",
        3_000_000,
    )
    assert (row.reason, row.created_by_name, enqueued) == ("first import", "operator", [row.pk])


@pytest.mark.parametrize(
    "fields", [{"kind": "nonsense"}, {"reason": " "}, {"file": ""}], ids=["kind", "reason", "file"]
)
def test_an_incomplete_form_is_shown_again(
    fields: dict[str, Any], log_in: LogIn, enqueued: list[int]
) -> None:
    response = upload(log_in("operator"), **fields)
    assert response.status_code == 200
    assert b'role="alert"' in response.content
    assert (SourceImport.objects.count(), enqueued) == (0, [])


def test_a_file_that_is_too_large_is_refused_with_the_command_to_use(
    log_in: LogIn, enqueued: list[int], settings: Settings
) -> None:
    settings.UPLOAD_MAX_MB = 1
    response = upload(log_in("operator"), b"x" * 1_200_000)
    assert response.status_code == 413
    assert b"manage.py import_archive" in response.content
    assert (SourceImport.objects.count(), enqueued) == (0, [])


def test_a_file_barely_too_large_is_refused_by_the_form(
    log_in: LogIn, enqueued: list[int], settings: Settings
) -> None:
    settings.UPLOAD_MAX_MB = 1
    response = upload(log_in("operator"), b"x" * 1_000_001)
    assert response.status_code == 200
    assert b"manage.py import_archive PATH" in response.content
    assert (SourceImport.objects.count(), enqueued) == (0, [])


def test_an_upload_needs_its_token(log_in: LogIn, enqueued: list[int]) -> None:
    plain = log_in("operator")
    client = Client(enforce_csrf_checks=True)
    client.cookies = plain.cookies
    assert upload(client).status_code == 403
    assert (SourceImport.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_not_upload(role: str, status: int, log_in: LogIn, enqueued: list[int]) -> None:
    client = log_in(role)
    assert client.get(UPLOAD).status_code == status
    assert upload(client).status_code == status
    assert (SourceImport.objects.count(), enqueued) == (0, [])


def test_opening_the_form_writes_nothing(log_in: LogIn) -> None:
    assert log_in("operator").get(UPLOAD).status_code == 200
    assert (SourceImport.objects.count(), AuditEvent.objects.count()) == (0, 0)


def test_cancel_leads_from_the_upload_to_the_list_as_it_was_filtered(log_in: LogIn) -> None:
    client = log_in("operator")
    listed = f"{reverse('admin:migration_app_sourceimport_changelist')}?state__exact=failed"
    button = re.search(rf'href="({UPLOAD}[^"]*)"', client.get(listed).content.decode())
    assert button is not None
    assert client.get(html.unescape(button[1])).context["back_url"] == listed
    assert client.get(f"{UPLOAD}?back=//evil.example/").context["back_url"] == listed.partition("?")[0]


def test_only_those_who_may_import_see_the_button(log_in: LogIn) -> None:
    url = reverse("admin:migration_app_sourceimport_changelist")
    assert UPLOAD.encode() in log_in("operator").get(url).content
    assert UPLOAD.encode() not in log_in("viewer").get(url).content


@pytest.mark.parametrize(
    ("state", "rejects", "text"),
    [
        ("finished", 0, "Every line was read."),
        ("finished", 2, "2 were rejected, and none of them is kept here."),
        ("failed", 0, "None in the part that was read before the import failed."),
        ("cancelled", 0, "None in the part that was read before the import was cancelled."),
        ("running", 0, "None so far."),
    ],
)
def test_only_an_import_that_was_read_to_its_end_says_that_every_line_was_read(
    state: str, rejects: int, text: str, log_in: LogIn
) -> None:
    row = import_made(state=state, file_bytes=4_000, bytes_read=1_000, reject_count=rejects)
    page = log_in("viewer").get(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))
    assert f'id="no-rejects">{text}<' in page.content.decode()
    assert ("the rest is not" in page.content.decode()) == (state in ("failed", "cancelled"))


@pytest.mark.parametrize(
    ("state", "rejects", "is_green"), [("finished", 0, True), ("finished", 1, False), ("failed", 0, False)]
)
def test_the_end_of_an_import_is_green_only_if_all_of_it_was_read(
    state: str, rejects: int, is_green: bool, log_in: LogIn
) -> None:
    row = import_made(state=state, file_bytes=4_000, bytes_read=4_000, reject_count=rejects)
    page = log_in("viewer").get(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))
    assert (b"mc-progress-done" in page.content) == is_green


def test_progress_tells_bytes_and_counts(log_in: LogIn) -> None:
    row = import_made(file_bytes=4_000, bytes_read=1_000, counts={"threads": 3}, reject_count=2)
    answer = log_in("viewer").get(reverse("admin:migration_app_sourceimport_progress", args=[row.pk])).json()
    assert answer == {
        "open": True,
        "state": "running",
        "percent": 25,
        "text": "1.0 kB of 4.0 kB read, 2 rejected.",
        "counts": {"threads": 3},
    }


def test_rejected_lines_are_shown_to_those_who_may_see_content_and_audited(log_in: LogIn) -> None:
    row = import_made(state="finished")
    rejected(row)
    assert "the secret line" in log_in("operator").get(page_url(row)).content.decode()
    event = AuditEvent.objects.get()
    assert (event.verb, event.subject_id) == ("import.rejects_viewed", str(row.pk))


def test_a_viewer_sees_where_and_why_but_not_the_line(log_in: LogIn) -> None:
    row = import_made(state="finished")
    rejected(row)
    page = log_in("viewer").get(page_url(row)).content.decode()
    assert "Not JSON." in page
    assert "secret" not in page
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("role", "line"), [("operator", "7,Not JSON.,'=the secret line"), ("viewer", "7,Not JSON.")]
)
def test_the_reject_file_holds_the_lines_for_those_who_may_see_them(
    role: str, line: str, log_in: LogIn
) -> None:
    row = import_made(state="finished")
    rejected(row)
    response: Any = log_in(role).post(reverse("admin:migration_app_sourceimport_rejects", args=[row.pk]))
    assert b"".join(response.streaming_content).decode().splitlines()[1:] == [line]
    assert AuditEvent.objects.get().verb == "import.rejects_exported"


def test_hostile_lines_and_names_are_escaped(log_in: LogIn) -> None:
    row = import_made(state="failed", file_name=HOSTILE, error_text=HOSTILE, reason=HOSTILE)
    rejected(row, HOSTILE.encode() + b"\xff\x00")
    client = log_in("operator")
    for url in (page_url(row), reverse("admin:migration_app_sourceimport_changelist")):
        assert "<script>alert(" not in client.get(url).content.decode()


def no_room(*_arguments: Any, **_keywords: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["temporary directory", "database"])
def test_an_upload_without_room_says_so_and_keeps_nothing(
    where: str, log_in: LogIn, enqueued: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in("operator")
    if where == "database":
        monkeypatch.setattr(imports_admin, "import_receive", no_room)
    else:
        monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", no_room)
    response = upload(client, b"x" * 3_000_000)
    assert response.status_code == 507
    assert "Nothing of this upload was stored" in response.content.decode()
    assert (SourceImport.objects.count(), enqueued) == (0, [])


def failed_with_file() -> SourceImport:
    row = import_made(state="failed", error_text="A disk is full.")
    ImportPart.objects.create(source_import=row, sequence=0, data=b"{}")
    return row


def test_a_failed_import_whose_file_is_kept_can_be_started_again(log_in: LogIn, enqueued: list[int]) -> None:
    row = failed_with_file()
    client = log_in("operator")
    again = reverse("admin:migration_app_sourceimport_again", args=[row.pk])
    assert again in client.get(page_url(row)).content.decode()
    assert client.post(again)["Location"] == page_url(row)
    row.refresh_from_db()
    assert (row.state, row.error_text, enqueued) == ("waiting", "", [row.pk])
    event = AuditEvent.objects.get(verb="import.restarted")
    assert (event.actor, event.subject_id) == ("operator", str(row.pk))


def test_an_import_is_not_started_again_by_a_look_or_without_the_permission(
    log_in: LogIn, enqueued: list[int]
) -> None:
    row = failed_with_file()
    again = reverse("admin:migration_app_sourceimport_again", args=[row.pk])
    log_in("operator").get(again)
    viewer = log_in("viewer")
    assert viewer.post(again).status_code == 403
    assert again not in viewer.get(page_url(row)).content.decode()
    row.refresh_from_db()
    assert (row.state, enqueued) == ("failed", [])


def test_an_import_whose_file_is_gone_is_not_started_again(log_in: LogIn, enqueued: list[int]) -> None:
    row = import_made(state="failed")
    client = log_in("operator")
    again = reverse("admin:migration_app_sourceimport_again", args=[row.pk])
    assert again not in client.get(page_url(row)).content.decode()
    client.post(again)
    row.refresh_from_db()
    assert (row.state, enqueued) == ("failed", [])


def open_with_file() -> SourceImport:
    row = import_made(state="waiting")
    ImportPart.objects.create(source_import=row, sequence=0, data=b"{}")
    return row


def cancel_url(row: SourceImport) -> str:
    return reverse("admin:migration_app_sourceimport_cancel", args=[row.pk])


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_an_open_import_is_cancelled_from_its_page_with_a_reason(
    state: str, log_in: LogIn, enqueued: list[int]
) -> None:
    row = open_with_file()
    SourceImport.objects.update(state=state)
    client = log_in("operator")
    assert cancel_url(row) in client.get(page_url(row)).content.decode()
    response = client.post(cancel_url(row), {"reason": "the wrong file"})
    assert response["Location"] == page_url(row)
    row.refresh_from_db()
    assert (row.state, enqueued, ImportPart.objects.exists()) == ("cancelled", [row.pk], False)
    event = AuditEvent.objects.get(verb="import.cancelled")
    assert (event.actor, event.subject_id, event.reason) == ("operator", str(row.pk), "the wrong file")
    page = client.get(page_url(row)).content.decode()
    assert "Cancelled by operator: the wrong file" in page
    assert cancel_url(row) not in page


@pytest.mark.parametrize(
    "attempt",
    [
        ("operator", "get", {"reason": "x"}, 302),
        ("operator", "post", {"reason": " "}, 400),
        ("viewer", "post", {"reason": "x"}, 403),
        ("newcomer", "post", {"reason": "x"}, 403),
        ("anonymous", "post", {"reason": "x"}, 302),
    ],
    ids=["a look", "no reason", "viewer", "newcomer", "anonymous"],
)
def test_an_import_is_not_cancelled_by(
    attempt: tuple[str, str, dict[str, str], int], log_in: LogIn, enqueued: list[int]
) -> None:
    role, method, fields, status = attempt
    row = open_with_file()
    client = log_in(role)
    assert getattr(client, method)(cancel_url(row), fields).status_code == status
    row.refresh_from_db()
    assert (row.state, enqueued, ImportPart.objects.exists()) == ("waiting", [], True)
    assert not AuditEvent.objects.filter(verb="import.cancelled").exists()


def test_a_viewer_sees_no_cancel_and_an_import_that_is_over_has_none(log_in: LogIn) -> None:
    row = open_with_file()
    assert cancel_url(row) not in log_in("viewer").get(page_url(row)).content.decode()
    SourceImport.objects.update(state="finished")
    client = log_in("operator")
    assert cancel_url(row) not in client.get(page_url(row)).content.decode()
    client.post(cancel_url(row), {"reason": "x"})
    row.refresh_from_db()
    assert row.state == "finished"


def test_progress_says_that_an_earlier_worker_ended_early(log_in: LogIn) -> None:
    row = import_made(file_bytes=4_000, bytes_read=1_000, attempts=2)
    answer = log_in("viewer").get(reverse("admin:migration_app_sourceimport_progress", args=[row.pk])).json()
    assert answer["text"] == "1.0 kB of 4.0 kB read. Try 2 of 3: the worker before this one ended early."


@pytest.mark.parametrize(
    ("state", "size", "read", "percent"),
    [("waiting", 0, 0, 0), ("running", 200, 100, 50), ("running", 200, 200, 99), ("finished", 0, 0, 100)],
)
def test_an_import_is_whole_only_when_it_is_finished(state: str, size: int, read: int, percent: int) -> None:
    row = SourceImport(state=state, file_bytes=size, bytes_read=read)
    assert imports_admin.import_percent(row) == percent


@pytest.mark.parametrize(
    ("state", "fields", "percent", "text"),
    [
        ("waiting", {}, 0, "Waiting for a worker."),
        ("running", {"bytes_read": 500, "file_bytes": 1_000}, 50, "500 B of 1.0 kB read."),
        ("running", {"bytes_read": 1_000, "file_bytes": 1_000}, 99, "1.0 kB of 1.0 kB read."),
        (
            "running",
            {"bytes_read": 0, "file_bytes": 0, "attempts": 2, "reject_count": 1_200},
            0,
            "0 B of 0 B read, 1,200 rejected. Try 2 of 3: the worker before this one ended early.",
        ),
        ("finished", {"bytes_read": 9, "file_bytes": 9, "attempts": 2}, 100, "9 B of 9 B read."),
        (
            "failed",
            {"bytes_read": 1, "file_bytes": 9},
            11,
            "Failed: 1 B of 9 B read. What was read is stored, the rest is not.",
        ),
        (
            "cancelled",
            {"bytes_read": 1, "file_bytes": 9},
            11,
            "Cancelled: 1 B of 9 B read. What was read is stored, the rest is not.",
        ),
    ],
)
def test_an_import_says_how_far_it_is(
    state: str, fields: dict[str, int], percent: int, text: str, settings: Settings
) -> None:
    settings.IMPORT_MAX_ATTEMPTS = 3
    row = SourceImport(state=state, **fields)
    assert (import_percent(row), import_progress_text(row)) == (percent, text)


@pytest.mark.parametrize(
    ("state", "rejected", "text"),
    [
        ("waiting", 0, "None so far."),
        ("running", 7, "None so far."),
        ("finished", 1_200, "1,200 were rejected, and none of them is kept here."),
        ("finished", 0, "Every line was read."),
        ("failed", 0, "None in the part that was read before the import failed."),
        ("cancelled", 0, "None in the part that was read before the import was cancelled."),
    ],
)
def test_no_rejected_line_means_something_else_before_the_end(state: str, rejected: int, text: str) -> None:
    assert no_rejects_text(SourceImport(state=state, reject_count=rejected)) == text
