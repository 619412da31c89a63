from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from django_rq.models import Dashboard
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

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


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *(
            (name, [99])
            for name in ("jobs", "queue_details", "failed_jobs", "workers", "scheduler_jobs", "clear")
        ),
        *((name, [10**20]) for name in ("finished_jobs", "requeue_all", "delete_failed_jobs", "actions")),
        *(
            (name, [1, "unknown"])
            for name in ("job_detail", "delete_job", "requeue_job", "enqueue_job", "stop_job")
        ),
        ("worker_details", [1, "unknown"]),
        ("result_detail", [1, "unknown", "1-1"]),
        ("cron_scheduler_detail", [1, "unknown"]),
        ("cron_job_detail", [99, "unknown", "a/b"]),
        ("confirm_action", [1]),
        ("actions", [1]),
    ],
)
def test_unknown_queues_jobs_and_workers_are_not_found(
    name: str, arguments: list[Any], log_in: LogIn
) -> None:
    client = log_in("superuser")
    url = reverse(f"django_rq:{name}", args=arguments)
    data = {"action": "requeue", "_selected_action": ["unknown"], "job_ids": ["unknown"]}
    for query in ("", "?page=abc", "?page=0", "?page=-1", f"?page={'9' * 30}"):
        assert client.get(url + query).status_code < 500
    assert client.post(url, data).status_code < 500
    assert client.post(url, {"action": "explode"}).status_code < 500
    if arguments[0] != 1:
        assert client.get(url).status_code in {404, 302}


def test_queues_that_can_not_be_reached_are_said(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_args: Any, **_kwargs: Any) -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(Redis, "execute_command", down)
    response = log_in("superuser").get(reverse("django_rq:jobs", args=[1]))
    assert (response.status_code, response.content) == (
        503,
        b"The queue's server can't be reached (REDIS_URL).",
    )


@pytest.mark.parametrize("role", ["anonymous", "viewer", "superuser"])
@pytest.mark.parametrize("rest", ["1/1/", "1/abc/", "999999/1/", "x/y", "1/%00/"])
def test_no_row_has_a_public_page(rest: str, role: str, log_in: LogIn) -> None:
    assert log_in(role).get(f"/admin/r/{rest}").status_code == 404
