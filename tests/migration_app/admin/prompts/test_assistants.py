from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.prompts import assistants as assistants_admin
from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent
from migration_app.prompts.assistants import assistant_convert_next, conversions_request
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made, object_made

LIST = "/admin/migration_app/assistant/"
CONVERT = "/admin/migration_app/assistant/convert/"


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(assistants_admin, "enqueue", lambda kind: calls.append(kind.name))
    return calls


def stored(name: str = "Kitchen Desk") -> Assistant:
    raw = json.dumps({"id": "asst_1", "object": "assistant", "name": name, "model": "gpt-4o"}).encode()
    source = object_made(raw=raw, kind="assistant", object_id="asst_1")
    assistant: Assistant = assistant_made(
        assistant_id="asst_1", name=name, source=source, status="snapshotted"
    )
    return assistant


def pick(client: Client, *assistants: Assistant) -> Any:
    data = {"action": "convert", "index": "0", "_selected_action": [str(row.pk) for row in assistants]}
    return client.post(LIST, data, follow=True)


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
    response = client.post(pick(client, assistant).context["act_url"], {"reason": "new app"})
    assistant.refresh_from_db()
    assert response["Location"] == LIST
    assert (assistant.status, assistant.requested_by_name, enqueued) == (
        "queued",
        "operator",
        ["conversions"],
    )


def test_all_that_match_a_filter_are_carried_by_the_filter(log_in: LogIn, enqueued: list[str]) -> None:
    client, known, bare = log_in("operator"), stored(), assistant_made(status="registered")
    query = "?status__exact=snapshotted&q=kitchen"
    ticked = {"action": "convert", "index": "0", "select_across": "1", "_selected_action": [str(bare.pk)]}
    page = client.post(f"{LIST}{query}", ticked, follow=True)
    assert page.redirect_chain[0][0].startswith(f"{CONVERT}{query}&back=")
    assert (page.context["ready"], page.context["without_snapshot"]) == ([known], 0)
    assert page.context["back_url"] == f"{LIST}{query}"
    response = client.post(page.context["act_url"], {"reason": "new app"})
    assert response["Location"] == f"{LIST}{query}"
    assert (enqueued, Assistant.objects.get(status="queued").pk) == (["conversions"], known.pk)


@pytest.mark.parametrize("query", ["ids=x", "kept=gone", "status__exact=snapshotted&colour=red"])
def test_an_address_that_selects_no_assistants_leads_to_the_list(query: str, log_in: LogIn) -> None:
    response = log_in("operator").get(f"{CONVERT}?{query}")
    assert (response.status_code, response["Location"]) == (302, LIST)


def test_nothing_is_asked_for_without_a_reason(log_in: LogIn, enqueued: list[str]) -> None:
    assistant = stored()
    url = f"{CONVERT}?ids={assistant.pk}"
    assert log_in("operator").post(url, {"reason": ""}).status_code == 400
    assistant.refresh_from_db()
    assert (assistant.status, enqueued) == ("snapshotted", [])


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_not_convert(role: str, status: int, log_in: LogIn, enqueued: list[str]) -> None:
    client, assistant = log_in(role), stored()
    ticked = {"action": "convert", "index": "0", "_selected_action": [str(assistant.pk)]}
    assert client.post(LIST, ticked).status_code == status
    assert client.get(CONVERT).status_code == status
    assert client.post(f"{CONVERT}?ids={assistant.pk}", {"reason": "r"}).status_code == status
    assistant.refresh_from_db()
    assert (assistant.status, enqueued) == ("snapshotted", [])


def test_the_page_shows_the_stored_object_escaped(log_in: LogIn) -> None:
    url = reverse("admin:migration_app_assistant_change", args=[stored(HOSTILE).pk])
    page = log_in("viewer").get(url).content.decode()
    assert "&quot;model&quot;: &quot;gpt-4o&quot;" in page
    assert "<script>alert(" not in page


def other_content() -> Any:
    raw = json.dumps({"id": "asst_1", "object": "assistant", "model": "gpt-4.1"}).encode()
    return object_made(raw=raw, kind="assistant", object_id="asst_1", state="conflict")


def act_url(assistant: Assistant, act: str) -> str:
    return reverse("admin:migration_app_assistant_act", args=[assistant.pk, act])


def test_other_content_is_shown_and_used_on_request(log_in: LogIn, enqueued: list[str]) -> None:
    assistant, client = stored(), log_in("operator")
    other = other_content()
    page = client.get(reverse("admin:migration_app_assistant_change", args=[assistant.pk]))
    assert page.context["other"] == other
    client.post(act_url(assistant, "use"), {"other": str(other.pk), "reason": "it is newer"})
    assistant.refresh_from_db()
    assert (assistant.source_id, assistant.status, enqueued) == (other.pk, "queued", ["conversions"])


def test_the_snapshot_is_kept_on_request(log_in: LogIn, enqueued: list[str]) -> None:
    assistant, other = stored(), other_content()
    log_in("operator").post(act_url(assistant, "keep"), {"other": str(other.pk), "reason": "an old archive"})
    other.refresh_from_db()
    assert (other.state, enqueued) == ("superseded", [])


def test_a_decision_needs_a_reason_and_content_that_is_still_open(log_in: LogIn, enqueued: list[str]) -> None:
    assistant, other, client = stored(), other_content(), log_in("operator")
    for data in ({"other": str(other.pk)}, {"other": "x", "reason": "r"}, {"other": "999", "reason": "r"}):
        client.post(act_url(assistant, "use"), data)
    other.refresh_from_db()
    assert (other.state, enqueued) == ("conflict", [])


def test_an_assistant_is_fetched_again_where_a_source_is_configured(
    log_in: LogIn, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(assistants_admin, "enqueue", lambda kind: calls.append(kind.name))
    assistant, client = stored(), log_in("operator")
    settings.SOURCE_BASE_URL = ""
    client.post(act_url(assistant, "check"), {"reason": "r"})
    assert calls == []
    settings.SOURCE_BASE_URL = "http://source.example/v1"
    client.post(act_url(assistant, "check"), {"reason": "r"})
    assistant.refresh_from_db()
    assert (assistant.source_check, assistant.source_check_asked_by_name, calls) == (
        "asked",
        "operator",
        ["assistant_checks"],
    )


@pytest.mark.parametrize(
    ("role", "source", "offered"),
    [
        ("operator", "http://source.example/v1", True),
        ("operator", "", False),
        ("viewer", "http://source.example/v1", False),
    ],
)
def test_fetching_again_is_offered_where_it_would_be_done(
    role: str, source: str, offered: bool, log_in: LogIn, settings: Settings
) -> None:
    settings.SOURCE_BASE_URL = source
    assistant = stored()
    page = log_in(role).get(reverse("admin:migration_app_assistant_change", args=[assistant.pk]))
    assert (b'id="check-form"' in page.content) == offered


@pytest.mark.parametrize(
    ("check", "colour"),
    [
        ("asked", "primary"),
        ("same", "success"),
        ("changed", "warning"),
        ("missing", "warning"),
        ("failed", "danger"),
    ],
)
def test_what_fetching_again_found_has_the_colour_of_its_urgency(
    check: str, colour: str, log_in: LogIn
) -> None:
    assistant = stored()
    Assistant.objects.filter(pk=assistant.pk).update(source_check=check)
    page = log_in("viewer").get(reverse("admin:migration_app_assistant_change", args=[assistant.pk]))
    assert page.context["source_check"].type == colour


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
@pytest.mark.parametrize("act", ["check", "use", "keep"])
def test_others_decide_nothing(role: str, status: int, act: str, log_in: LogIn) -> None:
    assistant, other = stored(), other_content()
    data = {"other": str(other.pk), "reason": "r"}
    assert log_in(role).post(act_url(assistant, act), data).status_code == status
    other.refresh_from_db()
    assert (other.state, Assistant.objects.get(pk=assistant.pk).source_check) == ("conflict", "")


def test_the_list_tells_how_far_the_conversions_are(log_in: LogIn, enqueued: list[str]) -> None:
    client, assistant = log_in("operator"), stored()
    progress = reverse("admin:migration_app_assistant_progress")
    assert client.get(progress).status_code == 404
    conversions_request(assistant_pks=[assistant.pk], actor=Actor("operator"), reason="r")
    assert client.get(progress).json() == {
        "open": True,
        "state": "running",
        "percent": 0,
        "text": "0 of 1 done",
        "counts": {},
    }
    assistant_convert_next(actor=Actor("worker"))
    assert client.get(progress).json()["text"] == "1 of 1 done: 1 with a new version"
    assert b"1 of 1 done" in client.get(LIST).content
    assert log_in("newcomer").get(progress).status_code == 403
