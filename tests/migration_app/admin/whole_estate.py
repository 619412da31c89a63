"""A row of every kind, and the addresses of every list and every row's page: what a test of all pages walks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from migration_app.models import (
    AuditEvent,
    Discrepancy,
    FormerConversation,
    OrphanConversation,
    Reconciliation,
    Run,
    TargetModel,
    Thread,
    Trial,
)
from tests.migration_app.admin.estate import (
    assistant_made,
    batch_made,
    conversation_made,
    import_made,
    object_made,
    page_made,
    result_made,
    thread_made,
)
from tests.migration_app.prompts.prompt_rows import prompt_made, version_made


def list_urls() -> Iterator[str]:
    """The addresses of all lists: a new one is checked without a line here."""
    for model in admin.site._registry:
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def row_urls() -> Iterator[str]:
    """The address of a row of each list."""
    for model in admin.site._registry:
        row: Any = model._default_manager.first()
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])


def whole_estate() -> Thread:
    """A row of every kind."""
    now = timezone.now()
    assistant = assistant_made(name="Helper")
    thread = thread_made(
        thread_id="thread_" + "W9m" * 8,
        status="snapshotted",
        fidelity="exact",
        snapshot_at=now,
        message_count=2,
        item_count=2,
        chunk_count=1,
        assistant=assistant,
        user_ref="user_1",
        finding_counts={"message_empty": 1},
    )
    page_made(thread, [json.dumps(_message(thread, number)).encode() for number in range(2)])
    batch = batch_made(state="running", taken_count=4)
    failed = thread_made(batch=batch, status="failed", error_code="timeout", fidelity="lossy")
    result_made(failed, "failed", error_code="timeout")
    thread_made(status="needs_review", error_code="source_grown")
    conversation_made(thread=thread, conversation_id="conv_" + "0a" * 24)
    OrphanConversation.objects.create(thread=thread, intended_at=now, reason="lost")
    FormerConversation.objects.create(thread=thread, conversation_id="conv_x", outcome="left", actor="ada")
    import_made(state="failed", reject_count=3)
    object_made()
    Run.objects.create(
        thread=thread, run_id="run_1", status="failed", error_code="server_error", total_tokens=7
    )
    prompt = prompt_made()
    active = version_made(prompt)
    newer = version_made(prompt, {"model": "gpt-5"}, state="in_review")
    AuditEvent.objects.create(
        actor="ada", verb="thread.queued", subject_kind="thread", subject_id="t", reason="r"
    )
    TargetModel.objects.create(model_id="gpt-5", first_seen_at=now, last_seen_at=now)
    checked = Reconciliation.objects.create(
        state="finished", checks=["mapping"], created_by_name="ada", reason="monthly"
    )
    Discrepancy.objects.create(
        reconciliation=checked,
        check_name="mapping",
        code="conversation_missing",
        severity="error",
        thread=thread,
    )
    Trial.objects.create(
        version_a=active,
        version_b=newer,
        state="finished",
        created_by_name="ada",
        reason="first",
        max_calls=9,
        max_tokens=9,
    )
    User.objects.create_user("newcomer")
    return thread


def _message(thread: Thread, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "thread_id": thread.thread_id,
        "created_at": 1_700_000_000 + number,
        "role": ("user", "assistant")[number],
        "content": [{"type": "text", "text": {"value": "Hello", "annotations": []}}],
    }
