from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migration_app.models import AuditEvent, Prompt, PromptVersion
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made

LIST = "/admin/migration_app/prompt/"


def prompt_made(slug: str = "kitchen-desk", instructions: str = "Be brief.") -> Prompt:
    prompt = Prompt.objects.create(slug=slug, assistant=assistant_made())
    for number, text in enumerate(["Old words.", instructions], start=1):
        PromptVersion.objects.create(
            prompt=prompt,
            number=number,
            spec_json=json.dumps({"instructions": text}),
            sha256=f"{number}" * 64,
            fidelity="exact",
            source_sha256="",
            author_name="ada",
            findings=[
                {
                    "code": "c",
                    "severity": "note",
                    "place": "",
                    "text": text,
                    "advice": "",
                    "source_kind": "assistant",
                }
            ],
        )
    return prompt


def url_of(prompt: Prompt, name: str = "change") -> str:
    return reverse(f"admin:migration_app_prompt_{name}", args=[prompt.pk])


def export_many(client: Client, *prompts: Prompt) -> Any:
    data = {"action": "export", "index": "0", "_selected_action": [str(prompt.pk) for prompt in prompts]}
    return client.post(LIST, data)


def test_the_page_shows_the_current_version_and_older_ones_on_request(log_in: LogIn) -> None:
    client, prompt = log_in("viewer"), prompt_made()
    assert "Be brief." in client.get(url_of(prompt)).context["spec"]
    assert "Old words." in client.get(url_of(prompt), {"version": "1"}).context["spec"]


def test_one_prompt_is_exported_as_json_and_audited(log_in: LogIn) -> None:
    response = log_in("operator").post(url_of(prompt_made(), "export"))
    assert json.loads(response.content)["spec"] == {"instructions": "Be brief."}
    assert response["Content-Disposition"] == 'attachment; filename="kitchen-desk.json"'
    assert AuditEvent.objects.get().verb == "prompt.exported"


def test_several_prompts_are_exported_as_a_zip(log_in: LogIn) -> None:
    response = export_many(log_in("operator"), prompt_made("one"), prompt_made("two"))
    with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
        assert bundle.namelist() == ["one.json", "two.json"]
    assert AuditEvent.objects.filter(verb="prompt.exported").count() == 2


def test_opening_the_export_by_address_exports_nothing(log_in: LogIn) -> None:
    prompt = prompt_made()
    assert log_in("operator").get(url_of(prompt, "export"))["Location"] == url_of(prompt)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_not_export(role: str, status: int, log_in: LogIn) -> None:
    client, prompt = log_in(role), prompt_made()
    assert client.post(url_of(prompt, "export")).status_code == status
    assert export_many(client, prompt).status_code == status
    assert not AuditEvent.objects.exists()


def test_an_admin_notes_a_dashboard_prompt_id(log_in: LogIn) -> None:
    prompt = prompt_made()
    log_in("admin").post(url_of(prompt, "note"), {"dashboard_prompt_id": " pmpt_123 "})
    prompt.refresh_from_db()
    assert prompt.dashboard_prompt_id == "pmpt_123"
    assert AuditEvent.objects.get().verb == "prompt.dashboard_id_noted"


def test_something_that_is_no_dashboard_prompt_id_is_refused(log_in: LogIn) -> None:
    prompt = prompt_made()
    log_in("admin").post(url_of(prompt, "note"), {"dashboard_prompt_id": HOSTILE})
    prompt.refresh_from_db()
    assert (prompt.dashboard_prompt_id, AuditEvent.objects.count()) == ("", 0)


def test_an_operator_may_not_change_a_prompt(log_in: LogIn) -> None:
    prompt = prompt_made()
    client = log_in("operator")
    assert client.post(url_of(prompt, "note"), {"dashboard_prompt_id": "pmpt_1"}).status_code == 403
    assert b'name="dashboard_prompt_id"' not in client.get(url_of(prompt)).content


def test_hostile_instructions_are_escaped(log_in: LogIn) -> None:
    assert (
        "<script>alert("
        not in log_in("viewer").get(url_of(prompt_made(instructions=HOSTILE))).content.decode()
    )
