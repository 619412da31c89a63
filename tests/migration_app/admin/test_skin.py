from __future__ import annotations

import pytest

from migration_app.admin import skin
from migration_app.models import Thread
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import thread_made, threads_made


def test_a_list_counts_no_further_than_its_bound(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skin, "COUNTED_UP_TO", 60)
    threads_made(70)
    response = log_in("operator").get("/admin/migration_app/thread/")
    page = response.content.decode()
    assert response.context["cl"].result_count == 61
    assert "more than 60 threads" in " ".join(page.split())
    assert "Select all more than 60 threads" in page


def test_a_short_list_is_counted_exactly() -> None:
    assert skin.BoundedPaginator([1, 2, 3], 2).count_text == "3"


def test_deleting_is_never_offered(log_in: LogIn) -> None:
    thread_made()
    assert b"delete_selected" not in log_in("superuser").get("/admin/migration_app/thread/").content
    assert Thread.objects.count() == 1
