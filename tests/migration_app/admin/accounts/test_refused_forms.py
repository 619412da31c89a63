"""A form whose token is refused, and forms that are sent after the session has ended."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from migration_app.models import Batch
from tests.migration_app.admin.addresses import confirm_url
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import batch_made, thread_made


def strict(client: Client) -> Client:
    """The same person, in a browser that is asked for the token."""
    asked = Client(enforce_csrf_checks=True)
    asked.cookies = client.cookies
    return asked


def test_a_refused_token_says_what_to_do_and_leads_back_to_the_form(log_in: LogIn) -> None:
    thread_made(status="snapshotted")
    url = confirm_url("backfill", status__exact="snapshotted")
    client = strict(log_in("operator"))
    client.get(url)
    response = client.post(url, {"reason": "r", "csrfmiddlewaretoken": "y" * 64})
    html = response.content.decode()
    assert response.status_code == 403
    assert "Send this form again" in html
    assert "What you typed is kept" in html
    assert f'href="{url}"' in html
    assert "data-not-arrived" in html
    assert not Batch.objects.exists()


def test_a_browser_without_cookies_is_told_so(log_in: LogIn) -> None:
    html = strict(log_in("operator")).post(confirm_url("backfill"), {"reason": "r"}).content.decode()
    assert "Cookies are needed" in html


def test_a_refused_sign_in_leads_to_the_console(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")
    html = client.post("/admin/login/", {"csrfmiddlewaretoken": "y" * 64}).content.decode()
    assert 'href="/admin/">To the dashboard' in html


def test_a_hostile_address_is_escaped_on_the_page_of_a_refused_token(log_in: LogIn) -> None:
    client = strict(log_in("operator"))
    html = client.post("/admin/migration_app/thread/?x=<script>alert(1)</script>").content.decode()
    assert "<script>alert" not in html


@pytest.mark.parametrize("act", ["pause", "cancel", "change", "resume"])
def test_signing_in_after_an_act_was_sent_too_late_leads_to_the_page_with_its_form(
    act: str, log_in: LogIn
) -> None:
    batch = batch_made(state="running")
    url = reverse("admin:migration_app_batch_act", args=[batch.pk, act])
    late: Any = log_in("anonymous").post(url, {"reason": "too late"})
    assert late["Location"] == f"/admin/login/?next={url}&ended=form"
    assert "nothing was started, decided or changed" in Client().get(late["Location"]).content.decode()
    page = reverse("admin:migration_app_batch_change", args=[batch.pk])
    assert log_in("operator").get(url)["Location"] == page
    batch.refresh_from_db()
    assert batch.state == "running"


def test_a_page_after_the_session_has_ended_says_so_and_to_strangers_nothing_is_said(log_in: LogIn) -> None:
    client = log_in("operator")
    Session.objects.all().delete()
    led: Any = client.get("/admin/")
    assert led["Location"].endswith("&ended=page")
    assert "Your session has ended" in client.get(led["Location"]).content.decode()
    assert log_in("anonymous").get("/admin/")["Location"] == "/admin/login/?next=/admin/"
