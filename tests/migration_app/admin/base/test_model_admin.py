from __future__ import annotations

from migration_app.models import Thread
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import thread_made


def test_deleting_is_never_offered(log_in: LogIn) -> None:
    thread_made()
    assert b"delete_selected" not in log_in("superuser").get("/admin/migration_app/thread/").content
    assert Thread.objects.count() == 1
