from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from migration_app.models import AuditEvent
from tests.migration_app.admin.conftest import LogIn

PAGES = ("/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/", "/admin/auth/group/add/")


@pytest.mark.parametrize("url", PAGES)
def test_a_superuser_manages_users_and_groups(url: str, log_in: LogIn) -> None:
    assert log_in("superuser").get(url).status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_an_admin_of_the_console_does_not(url: str, log_in: LogIn) -> None:
    assert log_in("admin").get(url).status_code == 403


def test_even_the_permission_to_change_users_opens_nothing(log_in: LogIn) -> None:
    client = log_in("operator")
    operator = User.objects.get(username="operator")
    operator.user_permissions.add(*Permission.objects.filter(codename__endswith="_user"))
    response = client.post(f"/admin/auth/user/{operator.pk}/change/", {"is_superuser": "on"})
    assert response.status_code == 403
    operator.refresh_from_db()
    assert not operator.is_superuser


def test_a_superuser_adds_a_user_by_the_form(log_in: LogIn) -> None:
    data = {
        "username": "grace",
        "password1": "correct horse 7",
        "password2": "correct horse 7",
        "usable_password": "true",
    }
    response = log_in("superuser").post("/admin/auth/user/add/", data)
    assert response.status_code == 302
    assert User.objects.filter(username="grace").exists()


ADD = "/admin/auth/user/add/"
PERSON = {
    "username": "grace",
    "password1": "correct horse 7",
    "password2": "correct horse 7",
    "usable_password": "true",
}


def change_url(user: User) -> str:
    return f"/admin/auth/user/{user.pk}/change/"


def test_a_new_colleague_gets_a_role_by_its_name_and_may_sign_in(log_in: LogIn) -> None:
    log_in("superuser").post(ADD, {**PERSON, "role": "operator"})
    grace = User.objects.get(username="grace")
    assert grace.is_staff
    assert not grace.is_superuser
    assert [group.name for group in grace.groups.all()] == ["operator"]
    assert grace.has_perm("migration_app.backfill_thread")
    assert AuditEvent.objects.filter(verb="user.groups_changed", reason="added: operator").exists()


def test_what_each_role_may_do_is_beside_it_and_no_permission_can_be_picked(log_in: LogIn) -> None:
    client = log_in("superuser")
    viewer = User.objects.create_user("heidi", is_staff=True)
    for url in (ADD, change_url(viewer)):
        page = client.get(url).content.decode()
        assert "Sees everything but what users wrote" in page
        for name in ("user_permissions", "groups", "is_superuser", "is_staff"):
            assert f'name="{name}"' not in page


def test_another_role_replaces_the_one_before_and_leaves_groups_made_by_hand(log_in: LogIn) -> None:
    heidi = User.objects.create_user("heidi", is_staff=True)
    heidi.groups.add(Group.objects.get(name="viewer"), Group.objects.create(name="auditors"))
    client = log_in("superuser")
    data = {"username": "heidi", "is_active": "on", "role": "admin"}
    assert client.post(change_url(heidi), data).status_code == 302
    assert {group.name for group in heidi.groups.all()} == {"admin", "auditors"}
    client.post(change_url(heidi), {**data, "role": ""})
    assert {group.name for group in heidi.groups.all()} == {"auditors"}


def test_single_permissions_are_on_a_page_of_their_own(log_in: LogIn) -> None:
    heidi = User.objects.create_user("heidi", is_staff=True)
    client = log_in("superuser")
    url = f"{change_url(heidi)}?permissions=1"
    assert 'name="user_permissions"' in client.get(url).content.decode()
    data = {"username": "heidi", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert client.post(url, data).status_code == 302
    heidi.refresh_from_db()
    assert heidi.is_superuser


def test_the_form_of_roles_makes_nobody_a_superuser(log_in: LogIn) -> None:
    heidi = User.objects.create_user("heidi", is_staff=True)
    log_in("superuser").post(
        change_url(heidi), {"username": "heidi", "is_active": "on", "role": "viewer", "is_superuser": "on"}
    )
    heidi.refresh_from_db()
    assert not heidi.is_superuser


@pytest.mark.parametrize("role", ["superuser", "owner", "viewer\x00"])
def test_a_role_that_there_is_not_is_refused(role: str, log_in: LogIn) -> None:
    response = log_in("superuser").post(ADD, {**PERSON, "role": role})
    assert response.status_code == 200
    assert not User.objects.filter(username="grace").exists()


def test_the_list_of_people_shows_their_roles_and_is_narrowed_by_them(log_in: LogIn) -> None:
    client = log_in("superuser")
    heidi = User.objects.create_user("heidi", is_staff=True)
    heidi.groups.add(Group.objects.get(name="viewer"))
    User.objects.create_user("ivan", is_active=False)
    page = client.get("/admin/auth/user/")
    assert ">viewer</span>" in page.content.decode()
    assert ">no role</span>" in page.content.decode()
    found = client.get("/admin/auth/user/", {"role": "viewer"}).context["cl"].result_list
    assert list(found) == [heidi]
    gone = client.get("/admin/auth/user/", {"is_active__exact": "False"}).context["cl"].result_list
    assert [user.username for user in gone] == ["ivan"]


def test_somebody_without_a_role_learns_whom_to_ask(log_in: LogIn) -> None:
    User.objects.create_superuser("root", first_name="Ada", last_name="Lovelace")
    User.objects.create_superuser("gone", is_active=False)
    page = log_in("newcomer").get("/admin/").content.decode()
    assert "have no role yet" in page
    assert "Ada Lovelace (root)" in page
    assert "gone" not in page
    assert "<b><bdi>newcomer</bdi></b>" in page


def test_where_no_superuser_is_left_the_page_says_what_makes_one(log_in: LogIn) -> None:
    assert "manage.py createsuperuser" in log_in("newcomer").get("/admin/").content.decode()
