"""Signing in: what guessing costs, who is made to wait and for how long, and what the audit trail says of it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.admin.accounts import sign_in as sign_in_module
from migration_app.models import AuditEvent

LOGIN = "/admin/login/"
RIGHT = "correct horse battery"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted(settings: Settings) -> None:
    settings.AXES_ENABLED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def ada(db: None, counted: None) -> User:
    return User.objects.create_superuser("ada", password=RIGHT)


def sign_in(password: str, name: str = "ada", address: str = "192.0.2.1", **headers: Any) -> Any:
    data = {"username": name, "password": password, "next": "/admin/"}
    return Client().post(LOGIN, data, REMOTE_ADDR=address, **headers)


VERBS = ("user.signed_in", "user.signed_out", "user.sign_in_failed", "user.locked_out")


def verbs() -> list[str]:
    rows = AuditEvent.objects.filter(verb__in=VERBS)
    return list(rows.order_by("id").values_list("verb", flat=True))


def later(minutes: int) -> None:
    AccessAttempt.objects.update(attempt_time=timezone.now() - dt.timedelta(minutes=minutes))


def test_after_five_failures_the_right_password_is_refused_too() -> None:
    assert [sign_in("wrong").status_code for _ in range(5)] == [200] * 4 + [429]
    refused = sign_in(RIGHT)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "900"
    assert b"Wait before you sign in" in refused.content
    assert "sessionid" not in "".join(refused.cookies)


def test_whoever_is_locked_out_costs_no_password_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        sign_in("wrong")
    hashed: list[str] = []

    def hash_counted(_hasher: Any, *_args: Any, **_options: Any) -> str:
        hashed.append("once")
        return "x"

    for act in ("encode", "verify"):
        monkeypatch.setattr(hashers.MD5PasswordHasher, act, hash_counted)
    for _ in range(3):
        sign_in(RIGHT)
    assert hashed == []
    sign_in(RIGHT, address="192.0.2.2")
    assert hashed  # the look at a password that others cost


def test_an_address_that_tries_many_names_is_locked_out() -> None:
    for number in range(20):
        sign_in("wrong", f"user{number}")
    assert sign_in(RIGHT, "ada").status_code == 429
    assert sign_in(RIGHT, "ada", address="192.0.2.2").status_code == 302


def test_a_name_that_is_tried_from_many_addresses_is_locked_out_where_it_is_not_known() -> None:
    assert sign_in(RIGHT, address="203.0.113.7").status_code == 302
    for number in range(50):
        sign_in("wrong", address=f"192.0.2.{number}")
    assert sign_in(RIGHT, address="198.51.100.1").status_code == 429
    assert sign_in(RIGHT, address="203.0.113.7").status_code == 302


def test_somebody_else_s_failures_at_a_shared_address_lock_nobody_out_who_works_there() -> None:
    sign_in(RIGHT)
    for number in range(30):
        sign_in("wrong", f"user{number}")
    assert sign_in(RIGHT).status_code == 302


def test_signing_in_does_not_wash_the_failures_of_other_names_away() -> None:
    User.objects.create_superuser("mallory", password=RIGHT)
    for _ in range(4):
        sign_in("wrong", "ada")
    sign_in(RIGHT, "mallory")
    assert sign_in("wrong", "ada").status_code == 429


def test_signing_in_forgets_one_s_own_failures() -> None:
    for _ in range(4):
        sign_in("wrong")
    assert sign_in(RIGHT).status_code == 302
    assert [sign_in("wrong").status_code for _ in range(4)] == [200] * 4


def test_the_wait_ends_by_itself_however_often_somebody_tries_on() -> None:
    for _ in range(5):
        sign_in("wrong")
    later(minutes=10)
    for _ in range(30):
        assert sign_in("wrong").status_code == 429
    later(minutes=16)
    assert sign_in(RIGHT).status_code == 302


@pytest.mark.parametrize(
    "command", [["axes_reset"], ["axes_reset_username", "ada"], ["axes_reset_ip", "192.0.2.1"]]
)
def test_an_operator_ends_the_wait_by_a_command(command: list[str]) -> None:
    for _ in range(5):
        sign_in("wrong")
    call_command(*command)
    assert sign_in(RIGHT).status_code == 302


def test_a_made_up_forwarded_address_changes_nothing(settings: Settings) -> None:
    for number in range(5):
        sign_in("wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert sign_in(RIGHT, HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429
    settings.TRUSTED_PROXIES = 1
    assert sign_in(RIGHT, HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429
    assert sign_in(RIGHT, HTTP_X_FORWARDED_FOR="10.0.0.1, 203.0.113.99").status_code == 302


def test_sign_ins_sign_outs_and_failures_stand_in_the_audit_trail() -> None:
    sign_in("wrong")
    client = Client()
    client.post(LOGIN, {"username": "ada", "password": RIGHT}, REMOTE_ADDR="192.0.2.1")
    client.post("/admin/logout/", REMOTE_ADDR="192.0.2.1")
    assert verbs() == ["user.sign_in_failed", "user.signed_in", "user.signed_out"]
    failed, signed_in, _out = AuditEvent.objects.filter(verb__in=VERBS).order_by("id")
    assert (failed.actor, failed.actor_user_id, failed.subject_id) == ("nobody signed in", None, "ada")
    assert (signed_in.actor, signed_in.actor_user_id) == ("ada", User.objects.get().pk)
    assert {failed.reason, signed_in.reason} == {"from 192.0.2.1"}


def test_neither_trail_nor_records_nor_log_hold_a_password(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(6):
        sign_in("hunter2hunter2")
    kept = [str(row) for model in (AuditEvent, AccessAttempt, AccessLog) for row in model.objects.values()]
    assert "hunter2" not in "".join([*kept, caplog.text])
    assert [row.post_data for row in AccessAttempt.objects.all()] == [""]
    assert "ada at 192.0.2.1" in caplog.text


def test_knocking_at_a_locked_door_fills_no_trail() -> None:
    for _ in range(25):
        sign_in("wrong")
    assert verbs() == ["user.sign_in_failed"] * 5 + ["user.locked_out"]


@pytest.mark.parametrize("name", ["x" * 140, "a\u202eb\nc", "'\"<script>"])
def test_a_typed_name_is_cut_and_cleaned(name: str, caplog: pytest.LogCaptureFixture) -> None:
    sign_in("wrong", name)
    kept = AuditEvent.objects.get(verb="user.sign_in_failed").subject_id
    assert kept == "".join(sign if sign.isprintable() else "\ufffd" for sign in name)[:64]
    assert not any("\u202e" in line for line in caplog.text.splitlines())


def test_a_session_ends_eight_hours_after_signing_in_whatever_is_done_in_it(settings: Settings) -> None:
    client = Client()
    client.post(LOGIN, {"username": "ada", "password": RIGHT})
    ends = client.session.get_expiry_date()
    assert dt.timedelta(hours=7, minutes=59) < ends - timezone.now() <= dt.timedelta(hours=8)
    session = client.session
    session["busy"] = True
    session.save()
    assert client.session.get_expiry_date() == ends


def test_an_old_sign_in_makes_no_address_known_and_is_not_kept() -> None:
    sign_in(RIGHT)
    AccessLog.objects.update(attempt_time=timezone.now() - dt.timedelta(days=31))
    for number in range(20):
        sign_in("wrong", f"user{number}")
    assert sign_in(RIGHT).status_code == 429
    assert sign_in(RIGHT, address="192.0.2.9").status_code == 302
    assert AccessLog.objects.count() == 1


@pytest.mark.parametrize(("password", "status"), [("elevenchars", 200), ("twelve chars", 302)])
def test_a_password_has_twelve_characters(password: str, status: int) -> None:
    client = Client()
    client.post(LOGIN, {"username": "ada", "password": RIGHT})
    data = {"username": "grace", "password1": password, "password2": password, "usable_password": "true"}
    assert client.post("/admin/auth/user/add/", data).status_code == status


def test_more_sign_ins_at_once_than_can_wait_are_sent_away_unread_and_uncounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [sign_in_module._IN_LINE.acquire(blocking=False) for _ in range(3)]
    monkeypatch.setattr(hashers.MD5PasswordHasher, "verify", pytest.fail)
    try:
        refused = sign_in(RIGHT)
    finally:
        for _ in places:
            sign_in_module._IN_LINE.release()
    assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    assert b"Try again in a few seconds" in refused.content
    assert verbs() == []
    assert not AccessAttempt.objects.exists()
    monkeypatch.undo()
    assert sign_in(RIGHT).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_failures_that_come_together_are_all_counted(settings: Settings) -> None:
    """In connections of their own, as a server's threads have them: none may hold what another one waits for."""
    settings.SIGN_IN_FAILURES = settings.AXES_FAILURE_LIMIT = 1_000

    def fail(number: int) -> list[int]:
        try:
            return [sign_in("wrong", f"user{number}").status_code for _ in range(8)]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = [status for found in pool.map(fail, range(8)) for status in found]
    assert set(answers) <= {200, 429}
    counted = AccessAttempt.objects.aggregate(total=Sum("failures_since_start"))["total"]
    assert counted == answers.count(200) == len(verbs())
