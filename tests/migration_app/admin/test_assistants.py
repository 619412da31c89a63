from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migration_app.admin import assistants as assistants_admin
from migration_app.admin.confirm import selection_seal
from migration_app.models import Assistant, AuditEvent
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made, object_made

LIST = "/admin/migration_app/assistant/"
CONVERT = "/admin/migration_app/assistant/convert/"


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(assistants_admin, "conversions_enqueue", lambda: calls.append("conversions"))
    return calls


def stored(name: str = "Kitchen Desk") -> Assistant:
    raw = json.dumps({"id": "asst_1", "object": "assistant", "name": name, "model": "gpt-4o"}).encode()
    source = object_made(raw=raw, kind="assistant", object_id="asst_1")
    assistant: Assistant = assistant_made(name=name, source=source, status="snapshotted")
    return assistant


def pick(client: Client, *assistants: Assistant) -> Any:
    data = {"action": "convert", "index": "0", "_selected_action": [str(row.pk) for row in assistants]}
    return client.post(LIST, data)


def test_picking_shows_what_would_be_converted_and_changes_nothing(
    log_in: LogIn, enqueued: list[str]
) -> None:
    known, bare = stored(), assistant_made()
    page = pick(log_in("operator"), known, bare)
    assert page.context["ready"] == [known]
    assert page.context["without_snapshot"] == 1
    assert (AuditEvent.objects.count(), enqueued) == (0, [])


def test_confirming_asks_for_the_conversion(log_in: LogIn, enqueued: list[str]) -> None:
    client, assistant = log_in("operator"), stored()
    sealed = pick(client, assistant).context["selection"]
    response = client.post(CONVERT, {"selection": sealed, "reason": "new app"})
    assistant.refresh_from_db()
    assert response["Location"] == LIST
    assert (assistant.status, assistant.requested_by_name, enqueued) == (
        "queued",
        "operator",
        ["conversions"],
    )


def test_nothing_is_asked_for_without_a_reason(log_in: LogIn, enqueued: list[str]) -> None:
    assistant = stored()
    sealed = selection_seal({"ids": [assistant.pk]})
    assert log_in("operator").post(CONVERT, {"selection": sealed, "reason": ""}).status_code == 200
    assistant.refresh_from_db()
    assert (assistant.status, enqueued) == ("snapshotted", [])


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_not_convert(role: str, status: int, log_in: LogIn, enqueued: list[str]) -> None:
    client, assistant = log_in(role), stored()
    sealed = selection_seal({"ids": [assistant.pk]})
    assert pick(client, assistant).status_code == status
    assert client.get(CONVERT).status_code == status
    assert client.post(CONVERT, {"selection": sealed, "reason": "r"}).status_code == status
    assistant.refresh_from_db()
    assert (assistant.status, enqueued) == ("snapshotted", [])


def test_the_page_shows_the_stored_object_escaped(log_in: LogIn) -> None:
    url = reverse("admin:migration_app_assistant_change", args=[stored(HOSTILE).pk])
    page = log_in("viewer").get(url).content.decode()
    assert "&quot;model&quot;: &quot;gpt-4o&quot;" in page
    assert "<script>alert(" not in page
