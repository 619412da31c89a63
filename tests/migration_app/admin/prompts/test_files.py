from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from migration_app.admin.prompts import pages
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.prompts.files import prompt_document, prompt_module
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

IMPORT = "/admin/migration_app/prompt/files/import/"
ZIP = "/admin/migration_app/prompt/files/zip/"


def hand_off(prompt: Prompt) -> str:
    return reverse("admin:migration_app_prompt_handoff", args=[prompt.pk])


def download(version: PromptVersion, kind: str) -> str:
    return reverse("admin:migration_app_prompt_download", args=[version.prompt_id, version.number, kind])


def upload(client: Client, *files: tuple[str, bytes]) -> Any:
    posted = {"files": [SimpleUploadedFile(name, content) for name, content in files]}
    return client.post(IMPORT, posted, follow=True)


def test_a_zip_holds_every_active_prompt_and_names_what_is_left_out(log_in: LogIn) -> None:
    version_made(prompt_made("one"))
    version_made(prompt_made("two"), state="draft")
    client = log_in("operator")
    response = client.post(ZIP)
    with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
        assert bundle.namelist() == ["prompts/one.json", "prompts/one.py"]
    assert [event.subject_id for event in AuditEvent.objects.filter(verb="prompt.exported")] == ["one"]
    assert (
        "Skipped, because no version of them is active: two."
        in client.get("/admin/migration_app/prompt/").content.decode()
    )


def test_a_version_is_downloaded_in_both_forms_and_audited(log_in: LogIn) -> None:
    version = version_made(prompt_made("class"))
    client = log_in("operator")
    document, module = client.post(download(version, "json")), client.post(download(version, "py"))
    assert document.content == prompt_document(version)
    assert module.content == prompt_module(version)
    assert module["Content-Disposition"] == 'attachment; filename="class_.py"'
    assert AuditEvent.objects.filter(verb="prompt.exported", subject_id="class").count() == 2


def test_opening_a_download_by_address_exports_nothing(log_in: LogIn) -> None:
    version = version_made(prompt_made())
    assert log_in("operator").get(download(version, "json"))["Location"] == hand_off(version.prompt)
    assert not AuditEvent.objects.exists()


def test_the_blocks_for_the_dashboard_hold_the_active_version_escaped(log_in: LogIn) -> None:
    spec = {
        "model": "gpt-4o",
        "instructions": f"\n{HOSTILE}\r\nend",
        "tools": [{"type": "custom", "name": "x"}],
    }
    prompt = prompt_made()
    version_made(prompt, spec | {"metadata": {HOSTILE: "1"}, "top_p": 1})
    version_made(prompt, SPEC | {"instructions": "A draft."}, state="draft")
    response = log_in("viewer").get(hand_off(prompt))
    assert [block["title"] for block in response.context["blocks"]] == [
        "Instructions",
        "Model",
        "Tools",
        "metadata",
        "top_p",
    ]
    assert response.context["blocks"][0]["text"] == spec["instructions"]
    assert b"<script>alert" not in response.content
    assert b"A draft." not in response.content


def test_the_dashboards_end_is_told_before_and_after(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    version = version_made(prompt_made())
    client = log_in("viewer")
    for year, text in ((9000, b"Dashboard prompts end on 9000-11-30"), (2020, b"have ended on 2020-11-30")):
        monkeypatch.setattr(pages, "DASHBOARD_END", dt.date(year, 11, 30))
        assert text in client.get(hand_off(version.prompt)).content


def test_a_prompt_without_versions_has_nothing_to_hand_off(log_in: LogIn) -> None:
    assert b"No version yet" in log_in("viewer").get(hand_off(prompt_made())).content


@pytest.mark.parametrize("query", ["?version=99", "?version=x", "?version=99999999999999999999"])
def test_a_version_that_is_not_there_is_a_404(query: str, log_in: LogIn) -> None:
    version = version_made(prompt_made())
    assert log_in("viewer").get(hand_off(version.prompt) + query).status_code == 404


def test_edited_files_are_taken_in(log_in: LogIn) -> None:
    version = version_made(prompt_made())
    edited = prompt_module(version).replace(b"kind", b"fair")
    response = upload(
        log_in("operator"), ("kitchen_desk.py", edited), ("kitchen-desk.json", prompt_document(version))
    )
    assert b"1 new version" in response.content
    assert b"unchanged" in response.content
    assert response.redirect_chain == [(f"{IMPORT}?imported=1", 302)]
    made = PromptVersion.objects.get(number=2)
    assert (made.spec["instructions"], made.author_name) == ("Be brief.\nBe fair.", "operator")


def test_a_file_that_cant_be_taken_is_named_and_nothing_is_imported(log_in: LogIn) -> None:
    version = version_made(prompt_made())
    edited = prompt_document(version).replace(b"kind", b"fair")
    bad = json.dumps({"slug": "kitchen-desk", "spec": SPEC, HOSTILE: 1}).encode()
    response = upload(log_in("operator"), ("kitchen-desk.json", edited), (f"{HOSTILE}.json", bad))
    assert b"Nothing was imported" in response.content
    assert b"<script>alert" not in response.content
    assert PromptVersion.objects.count() == 1


def test_an_import_without_a_file_says_so(log_in: LogIn) -> None:
    assert b"Choose at least one" in log_in("operator").post(IMPORT).content


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_neither_download_nor_import(role: str, status: int, log_in: LogIn) -> None:
    version = version_made(prompt_made())
    client = log_in(role)
    answers = [client.post(ZIP), client.post(download(version, "py")), client.get(IMPORT)]
    edited = SimpleUploadedFile("kitchen_desk.py", prompt_module(version).replace(b"kind", b"fair"))
    answers.append(client.post(IMPORT, {"files": [edited]}))
    assert [answer.status_code for answer in answers] == [status] * 4
    assert PromptVersion.objects.count() == 1
