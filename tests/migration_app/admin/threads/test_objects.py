from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from migration_app.models import AuditEvent, SourceObject
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import object_made

FILE = {"id": "file-1", "object": "file", "filename": "divorce.pdf", "bytes": 12, "purpose": "assistants"}
STORE = {
    "id": "vs_1",
    "object": "vector_store",
    "name": "Patients",
    "description": "of ward 3",
    "metadata": {"owner": "grace"},
    "file_counts": {"total": 3},
    "last_error": {"message": "grace.pdf is broken"},
    "status": "completed",
}
ATTACHED = {
    "id": "file-1",
    "object": "vector_store.file",
    "attributes": {"who": "grace"},
    "status": "completed",
}
SECRETS = ("divorce", "Patients", "ward 3", "grace")


def made(value: dict[str, Any], kind: str) -> SourceObject:
    return object_made(json.dumps(value).encode(), kind=kind, object_id=value["id"])


def page(row: SourceObject) -> str:
    return reverse("admin:migration_app_sourceobject_change", args=[row.pk])


@pytest.mark.parametrize(("value", "kind"), [(FILE, "file"), (STORE, "vector_store"), (ATTACHED, "file")])
def test_names_and_metadata_are_shown_to_those_who_may_see_content_and_that_is_audited(
    value: dict[str, Any], kind: str, log_in: LogIn
) -> None:
    row = made(value, kind)
    seen = log_in("viewer").get(page(row)).content.decode()
    assert not [secret for secret in SECRETS if secret in seen]
    assert value["id"] in seen
    assert not AuditEvent.objects.exists()
    whole = log_in("operator").get(page(row)).content.decode()
    assert [secret for secret in SECRETS if secret in json.dumps(value)] == [s for s in SECRETS if s in whole]
    event = AuditEvent.objects.get(verb="object.content_viewed")
    assert (event.actor, event.subject_kind, event.subject_id) == ("operator", kind, value["id"])


def test_what_the_source_counts_is_shown_to_everybody(log_in: LogIn) -> None:
    seen = log_in("viewer").get(page(made(STORE, "vector_store"))).content.decode()
    assert "&quot;total&quot;: 3" in seen
    assert "completed" in seen


def test_an_assistant_is_shown_whole_as_on_its_own_page(log_in: LogIn) -> None:
    row = made({"id": "asst_1", "object": "assistant", "name": "Clerk"}, "assistant")
    assert "Clerk" in log_in("viewer").get(page(row)).content.decode()
