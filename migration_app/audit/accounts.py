"""Changes of users, groups and permissions in the audit trail, wherever they are made: pages, commands, a shell.

Recorded by Django's signals, in the transaction of the change if there is one. ``QuerySet.update`` and SQL send none.
Never holds a password or its hash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from migration_app.audit.acting import acting
from migration_app.audit.trail import audit_event

_SHOWN = ("username", "is_active", "is_staff", "is_superuser")
_NAMED = ("email", "first_name", "last_name")
_AUDITED = frozenset({*_SHOWN, *_NAMED, "name", "password"})
_BEFORE = "_audited_before"
_QUIET: ContextVar[bool] = ContextVar("accounts_quiet", default=False)


@contextlib.contextmanager
def accounts_unaudited() -> Iterator[None]:
    """Write no rows in this block: a new database gets the console's own groups."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def accounts_watch() -> None:
    """Listen to changes of users, groups and permissions. Called once, when the application starts."""
    for model in (User, Group):
        name = f"migration_app.accounts.{model.__name__}"
        pre_save.connect(_remember, sender=model, dispatch_uid=f"{name}.before")
        post_save.connect(_saved, sender=model, dispatch_uid=f"{name}.saved")
        post_delete.connect(_deleted, sender=model, dispatch_uid=f"{name}.deleted")
    for through in (User.groups.through, User.user_permissions.through, Group.permissions.through):
        m2m_changed.connect(
            _members, sender=through, dispatch_uid=f"migration_app.accounts.{through.__name__}"
        )


def _remember(sender: type[Model], instance: Any, **_signal: Any) -> None:
    rows = sender._default_manager  # noqa: SLF001 - Django's name
    setattr(instance, _BEFORE, rows.filter(pk=instance.pk).first())


def _saved(instance: Any, created: bool, update_fields: frozenset[str] | None = None, **_signal: Any) -> None:
    kind = _kind(instance)
    before = instance.__dict__.pop(_BEFORE, None)
    if created or before is None:
        _tell(kind, instance, "created", _state(instance))
        return
    written = _AUDITED if update_fields is None else _AUDITED & update_fields
    changes = [
        f"{name} {_word(getattr(before, name))} → {_word(getattr(instance, name))}"
        for name in (("name",) if kind == "group" else _SHOWN)
        if name in written and getattr(before, name) != getattr(instance, name)
    ]
    if kind == "user":
        changes += [
            f"{name} changed"
            for name in _NAMED
            if name in written and getattr(before, name) != getattr(instance, name)
        ]
    if changes:
        _tell(kind, instance, "changed", ", ".join(changes))
    if kind == "user" and "password" in written and before.password != instance.password:
        _tell(
            kind,
            instance,
            "password_changed",
            "" if instance.has_usable_password() else "to none that can be used",
        )


def _deleted(instance: Any, **_signal: Any) -> None:
    _tell(_kind(instance), instance, "deleted", _state(instance))


def _members(  # noqa: PLR0917 - the signal's own, by name
    sender: type[Model],
    instance: Any,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: set[int] | None,
    **_signal: Any,
) -> None:
    """Record additions and removals; for a clear, before it happens."""
    if action not in {"post_add", "post_remove", "pre_clear"}:
        return
    others: Iterable[Any]
    if action == "pre_clear":
        others = _all_of(sender, instance, reverse=reverse)
    else:
        others = model._default_manager.filter(pk__in=pk_set or ())  # noqa: SLF001 - Django's name
    did = "added" if action == "post_add" else "removed"
    what = "groups" if sender is User.groups.through else "permissions"
    if reverse:
        for owner in others:
            _tell(_kind(owner), owner, f"{what}_changed", f"{did}: {_name(instance)}")
        return
    names = sorted(_name(other) for other in others)
    if names:
        _tell(_kind(instance), instance, f"{what}_changed", f"{did}: {', '.join(names)}")


def _all_of(through: type[Model], instance: Any, *, reverse: bool) -> Iterable[Any]:
    names = {
        User.groups.through: ("groups", "user_set"),
        User.user_permissions.through: ("user_permissions", "user_set"),
        Group.permissions.through: ("permissions", "group_set"),
    }
    return list(getattr(instance, names[through][reverse]).all())


def _tell(kind: str, instance: Any, verb: str, reason: str) -> None:
    if _QUIET.get():
        return
    audit_event(
        actor=acting(),
        verb=f"{kind}.{verb}",
        subject_kind=kind,
        # The id identifies a person; a name may be changed and given to somebody else.
        subject_id=f"{instance.pk} {_name(instance)}"[:255],
        reason=reason,
    ).save(force_insert=True)


def _kind(instance: Model) -> str:
    return "user" if isinstance(instance, User) else "group"


def _name(instance: Any) -> str:
    if isinstance(instance, User):
        return instance.get_username()
    return instance.codename if isinstance(instance, Permission) else str(instance.name)


def _state(instance: Any) -> str:
    if not isinstance(instance, User):
        return ""
    marks = [name.removeprefix("is_") for name in _SHOWN[1:] if getattr(instance, name)]
    return ", ".join(marks)


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
