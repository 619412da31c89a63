from __future__ import annotations

import pgtrigger
import pytest
from django.db import DatabaseError, connection, transaction

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, SnapshotPage, Thread
from migration_app.services.audit import audit_record
from migration_app.services.pages import pages_made

pytestmark = pytest.mark.django_db
TABLE = AuditEvent._meta.db_table


@pytest.fixture(autouse=True)
def one_event() -> None:
    audit_record(actor=Actor("ada"), verb="thread.tested", subject_kind="thread", subject_id="thread_1")


@pytest.mark.parametrize(
    "statement", [f"UPDATE {TABLE} SET reason = 'other'", f"DELETE FROM {TABLE}", f"TRUNCATE {TABLE}"]
)
def test_the_trail_can_only_grow_not_even_sql_changes_it(statement: str) -> None:
    ((model, trigger),) = pgtrigger.registered("migration_app.AuditEvent:audit_no_truncate")
    with connection.cursor() as cursor:
        # tests/conftest.py switches this one off for the flush between tests
        cursor.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER {trigger.get_pgid(model)}")
        with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
            cursor.execute(statement)
    assert AuditEvent.objects.get().reason == ""


def test_a_snapshot_page_is_never_changed() -> None:
    thread = Thread.objects.create(thread_id="thread_1")
    (page,) = pages_made(
        thread=thread, first_sequence=0, kind="archive", origin="a", order="asc", documents=[(b"{}", False)]
    )
    page.save()
    with pytest.raises(DatabaseError, match="pgtrigger: Cannot update"), transaction.atomic():
        SnapshotPage.objects.update(payload=b"")


def test_triggers_that_forbid_change_stand_on_every_model_that_promises_it() -> None:
    standing = {(model._meta.model_name, str(trigger.name)) for model, trigger in pgtrigger.registered()}
    assert {(model, name) for model, name in standing if "tally" not in name} == {
        ("auditevent", "audit_append_only"),
        ("auditevent", "audit_no_truncate"),
        ("snapshotpage", "snapshotpage_unchanged"),
        ("promptversion", "promptversion_unchanged"),
    }
