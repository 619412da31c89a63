"""Large requests: who may send one, to which page, and that nothing of any other is kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission, User
from django.core.files import uploadhandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections
from django.test import Client
from pytest_django.fixtures import Settings

from migration_app.admin.base.body_limit import FORM_BYTES, STRANGER_BYTES
from migration_app.models import SourceImport
from tests.migration_app.admin.conftest import LogIn

UPLOAD = "/admin/migration_app/sourceimport/upload/"
PROMPTS = "/admin/migration_app/prompt/files/import/"
BOUNDARY = "frontier"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def spooled(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much went to the disk."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    written: list[int] = []
    kept = uploadhandler.TemporaryFileUploadHandler.receive_data_chunk

    def receive(handler: Any, raw_data: bytes, start: int) -> Any:
        written.append(len(raw_data))
        return kept(handler, raw_data, start)

    monkeypatch.setattr(uploadhandler.TemporaryFileUploadHandler, "receive_data_chunk", receive)
    return written


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """A server closes its database connections between requests; a test has but one."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


class Wire(io.RawIOBase):
    """A body that is made as it is read, and tells how much of it was."""

    def __init__(self, size: int) -> None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
        self.size, self.sent, self.head = size, 0, head

    def read(self, size: int = -1) -> bytes:
        wanted = self.size - self.sent if size < 0 else min(size, self.size - self.sent)
        piece = (self.head[self.sent : self.sent + wanted]).ljust(wanted, b"x")
        self.sent += len(piece)
        return piece

    def readline(self, size: int | None = -1) -> bytes:
        return self.read(-1 if size is None else size)


def plain_environ() -> dict[str, Any]:
    client: Any = Client()  # its environment has no public name
    environ: dict[str, Any] = client._base_environ()
    return environ


def answered(environ: dict[str, Any]) -> int:
    """The status of the answer."""
    told: list[str] = []

    def start(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
        told.append(status)

    b"".join(WSGIHandler()(environ, start))
    return int(told[0][:3])


def ask(
    url: str, size: int, *, named: int | None = None, client: Client | None = None, method: str = "POST"
) -> tuple[int, Wire]:
    """Ask as a server of ours does, with a body of this size that names another one if told so."""
    wire = Wire(size)
    sent = {name: morsel.value for name, morsel in client.cookies.items()} if client else {}
    # With a token in a cookie, Django looks for the one in the form.
    sent[django_settings.CSRF_COOKIE_NAME] = "x" * 32
    cookies = "; ".join(f"{name}={value}" for name, value in sent.items())
    environ = {
        **plain_environ(),
        "REQUEST_METHOD": method,
        "PATH_INFO": url,
        "CONTENT_TYPE": MULTIPART,
        "CONTENT_LENGTH": str(size if named is None else named),
        "HTTP_COOKIE": cookies,
        "wsgi.input": wire,
    }
    return answered(environ), wire


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "EXPLODE"])
@pytest.mark.parametrize(
    "url",
    ["/", "/healthz", "/admin/", "/admin/login/", UPLOAD, PROMPTS, "/nowhere", "/admin/rq/", "/static/x.css"],
)
def test_a_stranger_s_large_request_is_not_read_whatever_its_address(
    url: str, method: str, spooled: list[int]
) -> None:
    status, wire = ask(url, 100_000_000, method=method)
    if url == "/static/x.css" and status == 404:
        status = 413  # whitenoise may answer before: it reads no body either
    if status == 302:
        # The token's cookie is all that is left of a session that has ended: such a person is led to sign in.
        assert method == "POST"
        assert url.startswith("/admin/")
        assert url != "/admin/login/"
    else:
        assert status == 413
    assert (wire.sent, spooled) == (0, [])


@pytest.mark.parametrize("named", [0, 100, STRANGER_BYTES])
def test_a_request_that_is_longer_than_it_says_is_read_no_further(named: int, spooled: list[int]) -> None:
    _status, wire = ask("/admin/login/", 100_000_000, named=named)
    assert wire.sent <= STRANGER_BYTES
    assert sum(spooled) <= STRANGER_BYTES


@pytest.mark.parametrize("named", ["", "abc", "-1", "1e9", "9" * 30, "٣"])
def test_a_length_that_is_none_reads_nothing(named: str) -> None:
    environ = {
        **plain_environ(),
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/admin/login/",
        "CONTENT_TYPE": MULTIPART,
        "CONTENT_LENGTH": named,
        "wsgi.input": (wire := Wire(100_000_000)),
    }
    assert answered(environ) in {400, 403, 413}
    assert wire.sent <= STRANGER_BYTES


def test_what_is_read_is_counted_whatever_was_named(
    monkeypatch: pytest.MonkeyPatch, spooled: list[int]
) -> None:
    # As under a server whose stream ends with the chunks, not with the length.
    monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream", lambda stream, _length: stream)
    status, wire = ask("/admin/login/", 100_000_000, named=1_000)
    assert status == 413
    assert wire.sent <= STRANGER_BYTES + (1 << 16)
    assert sum(spooled) <= STRANGER_BYTES


@pytest.mark.parametrize("role", ["newcomer", "viewer"])
@pytest.mark.parametrize("url", [UPLOAD, PROMPTS, "/admin/", "/nowhere"])
def test_who_may_not_upload_sends_forms_only(role: str, url: str, log_in: LogIn, spooled: list[int]) -> None:
    status, wire = ask(url, FORM_BYTES + 1, client=log_in(role))
    assert (status, wire.sent, spooled) == (413, 0, [])


@pytest.mark.parametrize(
    "url",
    [
        "/admin/",
        "/nowhere",
        "/admin/migration_app/sourceimport/",
        f"{UPLOAD}x/",
        "/admin/rq/",
        "/admin/login/",
    ],
)
def test_who_may_upload_does_so_on_that_page_alone(url: str, log_in: LogIn, spooled: list[int]) -> None:
    status, wire = ask(url, FORM_BYTES + 1, client=log_in("superuser"))
    assert (status, wire.sent, spooled) == (413, 0, [])


def test_the_upload_page_takes_files_of_those_who_may_import(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migration_app.admin.imports.imports.enqueue", lambda _kind, _pk: None)
    file = io.BytesIO(b"x" * 5_000_000)
    file.name = "a.jsonl"
    response = log_in("operator").post(UPLOAD, {"kind": "archive", "file": file, "reason": "r"})
    assert response.status_code == 302
    assert SourceImport.objects.get().file_bytes == 5_000_000


def test_an_upload_that_is_longer_than_the_limit_stops_there(
    log_in: LogIn, settings: Settings, monkeypatch: pytest.MonkeyPatch, spooled: list[int]
) -> None:
    settings.UPLOAD_MAX_MB = 1
    monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream", lambda stream, _length: stream)
    client = log_in("operator")
    status, wire = ask(UPLOAD, 100_000_000, named=1_000_000, client=client)
    assert status == 413
    assert wire.sent < 1_000_000 + 2 * FORM_BYTES


def test_a_session_that_has_ended_uploads_nothing_and_leads_to_sign_in(log_in: LogIn) -> None:
    client = log_in("operator")
    User.objects.filter(username="operator").update(is_active=False)
    status, wire = ask(UPLOAD, 5_000_000, client=client)
    assert (status, wire.sent) == (302, 0)


def test_a_large_form_after_the_session_has_ended_leads_to_sign_in_and_back() -> None:
    client = Client()
    client.cookies[django_settings.CSRF_COOKIE_NAME] = "x" * 32
    url = "/admin/migration_app/prompt/1/edit/?version=2"
    response = client.post(url, {"instructions": "x" * 100_000}, secure=True)
    assert response["Location"] == (
        "/admin/login/?next=/admin/migration_app/prompt/1/edit/%3Fversion%3D2&ended=form"
    )


def test_the_permission_to_import_without_the_one_to_see_imports_uploads_nothing(log_in: LogIn) -> None:
    client = log_in("newcomer")
    User.objects.get().user_permissions.add(Permission.objects.get(codename="import_archive"))
    status, wire = ask(UPLOAD, 5_000_000, client=client)
    assert (status, wire.sent) == (413, 0)


def test_a_refusal_says_how_much_is_taken(log_in: LogIn) -> None:
    response = log_in("operator").post("/admin/", {"a": "x" * (FORM_BYTES + 1)})
    assert response.status_code == 413
    assert b"1.0 MB" in response.content


def test_edited_prompts_come_back_by_the_hundred(log_in: LogIn) -> None:
    files = [io.BytesIO(b"{}") for _ in range(300)]
    for number, file in enumerate(files):
        file.name = f"{number}.json"
    response = log_in("operator").post(PROMPTS, {"files": files})
    assert response.status_code == 400  # read, and refused for what is in them
    assert b"Nothing was imported" in response.content
