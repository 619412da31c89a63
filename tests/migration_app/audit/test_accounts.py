"""Changes of users, groups and permissions stand in the audit trail, wherever they were made."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from migration_app.audit.accounts import accounts_unaudited
from migration_app.audit.command_line import command_actor
from migration_app.audit.groups import groups_update
from migration_app.models import AuditEvent
from tests.migration_app.admin.conftest import LogIn, log_in, plain_http

__all__ = ["log_in", "plain_http"]
pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("pk").values_list("verb", "subject_id", "reason"))


@pytest.fixture
def eve() -> User:
    with accounts_unaudited():
        return User.objects.create_user("eve", password="Correct-horse-7", is_staff=True)


@pytest.fixture
def readers() -> Group:
    with accounts_unaudited():
        return Group.objects.create(name="readers")


def test_a_superuser_made_at_a_shell_is_told_in_the_name_of_the_shells_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "Correct-horse-7")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    call_command("createsuperuser", username="root2", email="r@example.org", interactive=False, verbosity=0)
    user = User.objects.get(username="root2")
    assert told() == [("user.created", f"{user.pk} root2", "active, staff, superuser")]
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_user_id) == (command_actor().name, None)


def test_a_password_changed_at_a_shell_is_told_and_never_what_it_is(eve: User) -> None:
    eve.set_password("Another-horse-8")
    eve.save()
    assert told() == [("user.password_changed", f"{eve.pk} eve", "")]


def test_marks_and_names_are_told_with_before_and_after_and_private_ones_by_name(eve: User) -> None:
    eve.username, eve.is_superuser, eve.is_active, eve.email = "zoe", True, False, "z@example.org"
    eve.save()
    ((verb, subject, reason),) = told()
    assert (verb, subject) == ("user.changed", f"{eve.pk} zoe")
    assert reason == "username eve → zoe, is_active yes → no, is_superuser no → yes, email changed"


def test_what_was_not_written_is_not_told(eve: User) -> None:
    eve.is_superuser = True
    eve.save(update_fields=["last_login"])
    eve.save(update_fields=["email"])
    assert told() == []


def test_groups_and_permissions_of_a_user_are_told_from_both_sides(eve: User, readers: Group) -> None:
    see = Permission.objects.get(codename="view_content")
    eve.groups.add(readers)
    readers.user_set.remove(eve)
    eve.groups.set([readers])
    eve.groups.clear()
    eve.user_permissions.add(see)
    see.user_set.clear()
    subject = f"{eve.pk} eve"
    assert told() == [
        ("user.groups_changed", subject, "added: readers"),
        ("user.groups_changed", subject, "removed: readers"),
        ("user.groups_changed", subject, "added: readers"),
        ("user.groups_changed", subject, "removed: readers"),
        ("user.permissions_changed", subject, "added: view_content"),
        ("user.permissions_changed", subject, "removed: view_content"),
    ]


def test_a_groups_life_is_told() -> None:
    group = Group.objects.create(name="readers")
    group.permissions.set(Permission.objects.filter(codename__in=["view_content", "view_thread"]))
    group.name = "listeners"
    group.save()
    pk = group.pk
    group.permissions.clear()
    group.delete()
    assert told() == [
        ("group.created", f"{pk} readers", ""),
        ("group.permissions_changed", f"{pk} readers", "added: view_content, view_thread"),
        ("group.changed", f"{pk} listeners", "name readers → listeners"),
        ("group.permissions_changed", f"{pk} listeners", "removed: view_content, view_thread"),
        ("group.deleted", f"{pk} listeners", ""),
    ]


def test_a_deleted_user_is_told(eve: User) -> None:
    pk = eve.pk
    eve.delete()
    assert told() == [("user.deleted", f"{pk} eve", "active, staff")]


def test_what_migrate_puts_right_is_told_and_what_is_right_is_not() -> None:
    groups_update(None)  # type: ignore[arg-type]  # the sender is not looked at
    assert told() == []
    viewer = Group.objects.get(name="viewer")
    with accounts_unaudited():
        viewer.permissions.add(Permission.objects.get(codename="view_content"))
    groups_update(None)  # type: ignore[arg-type]  # the sender is not looked at
    assert told() == [("group.permissions_changed", f"{viewer.pk} viewer", "removed: view_content")]


def test_the_page_of_users_tells_who_did_it(log_in: LogIn, eve: User, readers: Group) -> None:
    client = log_in("superuser")
    url = f"{reverse('admin:auth_user_change', args=[eve.pk])}?permissions=1"
    form = {
        "username": "eve",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [readers.pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    assert client.post(url, form).status_code == 302
    events = AuditEvent.objects.filter(subject_id=f"{eve.pk} eve").order_by("pk")
    assert list(events.values_list("verb", "reason", "actor")) == [
        ("user.changed", "is_superuser no → yes", "superuser"),
        ("user.groups_changed", "added: readers", "superuser"),
    ]
    url = reverse("admin:auth_user_password_change", args=[eve.pk])
    new = {"password1": "Another-horse-89", "password2": "Another-horse-89", "usable_password": "true"}
    assert client.post(url, new).status_code == 302
    event = AuditEvent.objects.get(verb="user.password_changed")
    assert (event.actor, event.actor_user_id) == ("superuser", User.objects.get(username="superuser").pk)
    assert not AuditEvent.objects.filter(reason__contains="horse").exists()


def test_signing_in_changes_no_account(client: Client, eve: User) -> None:
    client.post(reverse("admin:login"), {"username": "eve", "password": "Correct-horse-7"})
    assert not AuditEvent.objects.filter(verb__in=["user.changed", "user.password_changed"]).exists()
