from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from migration_app.models import AuditEvent, Batch, OrphanConversation, Prompt, SourceImport
from tests.migration_app.admin.conftest import LogIn, MakeThread
from tests.migration_app.admin.estate import assistant_made, conversation_made, import_made, object_made

LISTS = (
    "thread",
    "batch",
    "sourceimport",
    "assistant",
    "prompt",
    "conversation",
    "sourceobject",
    "auditevent",
    "orphanconversation",
    "reconciliation",
    "trial",
    "run",
)


def list_url(model: str) -> str:
    return reverse(f"admin:migration_app_{model}_changelist")


@pytest.mark.parametrize("model", LISTS)
def test_a_stranger_is_sent_to_the_login_page_by_every_list(model: str, log_in: LogIn) -> None:
    response = log_in("anonymous").get(list_url(model))
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("model", LISTS)
def test_staff_without_a_role_may_open_no_list(model: str, log_in: LogIn) -> None:
    assert log_in("newcomer").get(list_url(model)).status_code == 403


@pytest.mark.parametrize("model", LISTS)
def test_a_viewer_may_open_every_list_even_when_it_is_empty(model: str, log_in: LogIn) -> None:
    response = log_in("viewer").get(list_url(model))
    assert response.status_code == 200
    assert b"yet</h2>" in response.content


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("role", ["admin", "superuser"])
def test_nobody_may_add_rows_by_hand(model: str, role: str, log_in: LogIn) -> None:
    assert log_in(role).get(reverse(f"admin:migration_app_{model}_add")).status_code == 403


def test_nobody_may_delete_a_thread(log_in: LogIn, make_thread: MakeThread) -> None:
    url = reverse("admin:migration_app_thread_delete", args=[make_thread("hi").pk])
    assert log_in("superuser").post(url, {"post": "yes"}).status_code == 403


def test_every_page_of_a_row_opens_for_a_viewer(log_in: LogIn, make_thread: MakeThread) -> None:
    client = log_in("viewer")
    thread = make_thread("hi")
    conversation = conversation_made(thread=thread)
    assistant = assistant_made()
    prompt = Prompt.objects.create(slug="a", assistant=assistant)
    orphan = OrphanConversation.objects.create(
        thread=thread, intended_at=conversation.intended_at, reason="lost"
    )
    batch = Batch.objects.create(
        kind="backfill",
        filter={"filters": {}, "search": ""},
        max_thread_pk=0,
        reason="r",
        created_by_name="ada",
    )
    source_import: SourceImport = import_made()
    source_object = object_made()
    event = AuditEvent.objects.create(actor="ada", verb="x.y", subject_kind="thread", subject_id="t")
    for row in (thread, conversation, assistant, prompt, orphan, batch, source_import, source_object, event):
        url = reverse(f"admin:migration_app_{row._meta.model_name}_change", args=[row.pk])
        assert client.get(url).status_code == 200, url


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("key", ["999999", "abc", "%00"])
def test_an_unknown_row_is_not_an_error_of_the_console(model: str, key: str, log_in: LogIn) -> None:
    response = log_in("viewer").get(f"{list_url(model)}{key}/change/")
    assert response.status_code in {302, 404}


@pytest.mark.parametrize(
    ("address", "permission", "method"),
    [
        ("reconciliation/start/", "run_reconciliation", "get"),
        ("reconciliation/start/", "run_reconciliation", "post"),
        ("trial/start/", "try_prompt", "get"),
        ("trial/start/", "try_prompt", "post"),
        ("sourceimport/upload/", "import_archive", "get"),
        ("sourceimport/upload/", "import_archive", "post"),
        ("prompt/files/zip/", "export_prompts", "post"),
        ("assistant/convert/", "convert_assistant", "get"),
        ("assistant/convert/", "convert_assistant", "post"),
        ("thread/act/backfill/", "backfill_thread", "get"),
        ("thread/act/backfill/", "backfill_thread", "post"),
    ],
)
def test_a_permission_to_act_opens_nothing_without_the_one_to_see(
    address: str, permission: str, method: str, log_in: LogIn
) -> None:
    client = log_in("newcomer")
    found = Permission.objects.get(codename=permission)
    User.objects.get(username="newcomer").user_permissions.add(found)
    url = f"/admin/migration_app/{address}"
    assert getattr(client, method)(url, {"reason": "x"} if method == "post" else {}).status_code == 403
    subject = address.partition("/")[0]
    view = Permission.objects.get(codename=f"view_{subject}")
    User.objects.get(username="newcomer").user_permissions.add(view)
    assert getattr(client, method)(url, {"reason": "x"} if method == "post" else {}).status_code != 403
