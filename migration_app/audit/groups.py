"""The three operator groups and what each may do. Only superusers manage users: somebody who may
change users could give themselves any permission.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission

from migration_app.audit.accounts import accounts_unaudited

_MODELS = (
    "assistant",
    "auditevent",
    "batch",
    "chunk",
    "conversation",
    "discrepancy",
    "formerconversation",
    "importreject",
    "orphanconversation",
    "prompt",
    "promptversion",
    "reconciliation",
    "run",
    "sourceimport",
    "sourceobject",
    "thread",
    "trial",
)
_SEE = frozenset(f"view_{model}" for model in _MODELS)
_WORK = frozenset(
    {
        "snapshot_thread",
        "preflight_thread",
        "backfill_thread",
        "verify_thread",
        "retry_thread",
        "review_thread",
        "export_mapping",
        "import_archive",
        "convert_assistant",
        "export_prompts",
        "change_prompt",
        "try_prompt",
        "view_content",
        "run_reconciliation",
        "close_orphan",
    }
)
GROUPS: dict[str, frozenset[str]] = {
    "viewer": _SEE,
    "operator": _SEE | _WORK,
    "admin": _SEE
    | _WORK
    | {
        "erase_server_messages",
        "exclude_thread",
        "rollback_thread",
        "approve_rollback",
        "approve_prompt",
        "activate_prompt",
    },
}


def groups_update(sender: AppConfig, using: str = "default", **_signal: Any) -> None:  # noqa: ARG001 - signal
    """Give each group exactly its permissions (post_migrate; running again changes nothing)."""
    for name, codenames in GROUPS.items():
        group = Group.objects.using(using).filter(name=name).first()
        permissions = list(
            Permission.objects.using(using).filter(
                content_type__app_label="migration_app", codename__in=codenames
            )
        )
        if group is not None:
            group.permissions.set(permissions)
            continue
        with accounts_unaudited():
            Group.objects.using(using).create(name=name).permissions.set(permissions)
