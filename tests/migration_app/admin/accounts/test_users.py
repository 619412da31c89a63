from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

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
