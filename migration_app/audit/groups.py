"""The three operator groups and what each may do. Only superusers manage users: somebody who may
change users could give themselves any permission.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission, User

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
_ASKED = 10
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

ROLES: dict[str, str] = {
    "viewer": "Sees everything but what users wrote: threads, batches, mapping, audit trail. Changes nothing.",
    "operator": "All of that, and: reads content, imports, starts backfills, decides reviews, tries prompts, exports.",
    "admin": "All of that, and: rolls back and approves the roll backs of others, approves and activates prompts, "
    "excludes threads, erases server messages.",
}
"""The groups as people choose them, the one that may least first, and what each may do."""


def role_of(names: set[str]) -> str:
    """The role of somebody in these groups: the one that may most; empty for none."""
    return next((name for name in reversed(ROLES) if name in names), "")


def role_give(user: User, role: str) -> None:
    """Put a person into the group of their role, and out of those of other roles; an empty role takes them all away.

    Other groups, which somebody made by hand, stay as they are.
    """
    held = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    wanted = {role} & ROLES.keys()
    user.groups.remove(*Group.objects.filter(name__in=held - wanted))
    user.groups.add(*Group.objects.filter(name__in=wanted - held))


def people_to_ask() -> list[str]:
    """Names of those who can give a role: active superusers, as people know them."""
    people = User.objects.filter(is_active=True, is_superuser=True).order_by("username")
    return [
        f"{full} ({user.get_username()})" if (full := user.get_full_name()) else user.get_username()
        for user in people[:_ASKED]
    ]


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
