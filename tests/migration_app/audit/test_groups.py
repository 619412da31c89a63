"""What each role may do, by name, and who has which role."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User

from migration_app.audit.groups import GROUPS, ROLES, groups_update, people_to_ask, role_give, role_of

pytestmark = pytest.mark.django_db

OPERATORS = {
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
ADMINS = {
    "erase_server_messages",
    "exclude_thread",
    "rollback_thread",
    "approve_rollback",
    "approve_prompt",
    "activate_prompt",
}


def held_by(role: str) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_each_role_may_what_it_is_for_and_nothing_else() -> None:
    seen = held_by("viewer")
    assert all(codename.startswith("view_") for codename in seen)
    assert "view_content" not in seen
    assert held_by("operator") == seen | OPERATORS
    assert held_by("admin") == seen | OPERATORS | ADMINS


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_every_permission_that_a_role_names_is_there(role: str) -> None:
    assert held_by(role) == GROUPS[role]


def test_a_group_is_given_back_exactly_its_permissions_and_a_missing_one_is_made_again() -> None:
    Group.objects.get(name="viewer").delete()
    operator, admin = (Group.objects.get(name=name) for name in ("operator", "admin"))
    operator.permissions.clear()
    operator.permissions.add(*admin.permissions.filter(codename="rollback_thread"))
    groups_update(apps.get_app_config("migration_app"))
    for role in ROLES:
        assert held_by(role) == GROUPS[role]


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (set(), ""),
        ({"guests"}, ""),
        ({"viewer"}, "viewer"),
        ({"operator", "viewer"}, "operator"),
        ({"viewer", "operator", "admin", "guests"}, "admin"),
    ],
)
def test_the_role_of_somebody_is_the_one_that_may_most(names: set[str], role: str) -> None:
    assert role_of(names) == role


@pytest.mark.parametrize(
    ("role", "groups"),
    [
        ("viewer", {"guests", "viewer"}),
        ("admin", {"guests", "admin"}),
        ("", {"guests"}),
        ("owner", {"guests"}),
    ],
)
def test_a_new_role_takes_the_place_of_the_old_one_and_leaves_other_groups(
    role: str, groups: set[str]
) -> None:
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get(name="operator"), Group.objects.create(name="guests"))
    role_give(user, role)
    assert set(user.groups.values_list("name", flat=True)) == groups


def test_ten_active_superusers_are_named_as_people_know_them() -> None:
    User.objects.create_superuser("bo", first_name="Bo", last_name="Berg")
    User.objects.create_superuser("ada")
    User.objects.create_superuser("away", is_active=False)
    User.objects.create_user("eve", is_staff=True)
    assert people_to_ask() == ["ada", "Bo Berg (bo)"]
    for number in range(10):
        User.objects.create_superuser(f"c{number}")
    assert len(people_to_ask()) == 10
