"""The application's own role: it does all its work, and can't get past what keeps the audit trail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from migration_app.audit.trail import audit_record
from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.counters import THREADS
from migration_app.models import AuditEvent, Prompt, PromptVersion, Thread
from migration_app.models.guards import GUARDED
from migration_app.prompts.review import version_submit
from migration_app.prompts.versions import version_create
from migration_app.threads.selections import selection_of_filters
from tests.factories import AssistantFactory, SnapshotPageFactory, ThreadFactory
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db
ROLE = "console_app_of_a_test"
ADA = Actor("ada")


@pytest.fixture
def as_role() -> Iterator[None]:
    """A role that was granted what the command grants; all in the test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        audit_record(actor=ADA, verb="thread.content_viewed", subject_kind="thread", subject_id="thread_1")
        SnapshotPageFactory.create()
        call_command("grant_role", ROLE)
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
        yield
        cursor.execute("RESET ROLE")


@pytest.mark.parametrize(
    "statement",
    [
        *(
            statement.format(model._meta.db_table)
            for model in GUARDED
            for statement in (
                "UPDATE {} SET id = id",
                "DELETE FROM {}",
                "TRUNCATE {} CASCADE",
                "ALTER TABLE {} DISABLE TRIGGER ALL",
                "ALTER TABLE {} DISABLE TRIGGER console_keep_update",
                "DROP TRIGGER console_keep_update ON {}",
                "CREATE TRIGGER mine BEFORE INSERT ON {} EXECUTE FUNCTION console_keep_rows()",
                "DROP TABLE {} CASCADE",
            )
        ),
        "CREATE OR REPLACE FUNCTION console_keep_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION console_keep_rows() CASCADE",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id integer)",
        "DELETE FROM django_migrations",
        "TRUNCATE migration_app_thread CASCADE",
        f"GRANT UPDATE ON migration_app_auditevent TO {ROLE}; UPDATE migration_app_auditevent SET reason = 'x'",
        f"ALTER ROLE {ROLE} SUPERUSER",
    ],
)
def test_the_role_cannot_get_past_the_guards(as_role: None, statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be|not permitted|refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEvent.objects.get(verb="thread.content_viewed").reason == ""


def test_the_role_does_the_applications_work(as_role: None) -> None:
    thread = ThreadFactory.create(status="snapshotted")
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ADA, reason="a test")
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    THREADS.fold()
    thread.refresh_from_db()
    assert thread.status == Thread.Status.QUEUED
    prompt = Prompt.objects.create(slug="clerk", assistant=AssistantFactory.create())
    version = version_create(prompt=prompt, spec={"model": "gpt-4o"}, origin="edited", author=ADA, note="")
    assert version is not None
    version_submit(version_pk=version.pk, actor=ADA)
    assert PromptVersion.objects.get().state == "in_review"
    assert AuditEvent.objects.filter(verb="batch.backfill_started").exists()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("", "There is no role"),
        (f"CREATE ROLE {ROLE} SUPERUSER", "is a superuser"),
        (f"CREATE ROLE {ROLE} CREATEROLE", "may make roles"),
        (
            f"CREATE ROLE {ROLE}; CREATE TABLE own (); ALTER TABLE own OWNER TO {ROLE}",
            "owns",
        ),
        (f"CREATE ROLE {ROLE} IN ROLE pg_write_all_data", "member of other roles"),
    ],
)
def test_a_role_that_no_grant_holds_back_is_refused(made: str, said: str) -> None:
    with connection.cursor() as cursor:
        if made:
            cursor.execute(made)
    with pytest.raises(CommandError, match=said):
        call_command("grant_role", ROLE)
