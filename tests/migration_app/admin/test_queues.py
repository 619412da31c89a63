from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse
from django_rq.models import Dashboard

from tests.migration_app.admin.conftest import LogIn


def test_a_superuser_sees_the_job_queues_and_their_entry(log_in: LogIn) -> None:
    client = log_in("superuser")
    assert client.get(reverse("django_rq:home")).status_code == 200
    assert b"/admin/rq/" in client.get("/admin/").content


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "newcomer"])
def test_others_are_refused_the_job_queues(role: str, log_in: LogIn) -> None:
    client = log_in(role)
    assert client.get(reverse("django_rq:home")).status_code == 403
    assert client.get(reverse("django_rq:home_json")).status_code == 403
    assert client.post(reverse("django_rq:clear", args=[0])).status_code == 403
    assert b"/admin/rq/" not in client.get("/admin/").content


def test_a_stranger_is_sent_to_the_login_page(log_in: LogIn) -> None:
    assert log_in("anonymous").get(reverse("django_rq:home"))["Location"].startswith("/admin/login/")


def test_the_second_entrance_that_django_rq_registers_is_closed() -> None:
    assert not admin.site.is_registered(Dashboard)
