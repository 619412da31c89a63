"""Tables that can only grow, held by the database: no statement, and no setting of a session, changes their rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, Prompt, PromptVersion, SnapshotPage, SourceObject
from migration_app.models.guards import GUARDED
from migration_app.prompts.versions import version_create
from tests.factories import SnapshotPageFactory, SourceObjectFactory
from tests.guards import OPERATIONS

pytestmark = pytest.mark.django_db
ADA = Actor("ada")
DOORS = (
    "SET pgtrigger.ignore = '{}'",
    "SET session_replication_role = replica",
    "SET LOCAL pgtrigger.ignore = '{migration_app_auditevent:console_keep_update}'",
)


@pytest.fixture(autouse=True)
def one_row_of_each() -> None:
    audit_record(actor=ADA, verb="thread.content_viewed", subject_kind="thread", subject_id="thread_1")
    SnapshotPageFactory.create()
    SourceObjectFactory.create()
    prompt = Prompt.objects.create(slug="clerk", assistant=Assistant.objects.create(assistant_id="asst_1"))
    version_create(prompt=prompt, spec={"model": "gpt-4o"}, origin="edited", author=ADA, note="")


@pytest.fixture(autouse=True)
def truncate_is_refused_too(one_row_of_each: None) -> None:
    """tests/conftest.py switches it off for the flush between tests; this transaction is taken back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for model in GUARDED:
            cursor.execute(f"ALTER TABLE {table_of(model)} ENABLE ALWAYS TRIGGER console_keep_truncate")


def table_of(model: type[models.Model]) -> str:
    return model._meta.db_table


def refused(statement: str, operation: str) -> None:
    with (
        pytest.raises(DatabaseError, match=f"{operation} refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("door", ["", *DOORS])
@pytest.mark.parametrize("model", GUARDED)
def test_rows_can_only_be_added_not_even_sql_changes_them(model: type[models.Model], door: str) -> None:
    with connection.cursor() as cursor:
        if door:
            cursor.execute(door)
    before = list(model.objects.values())  # type: ignore[attr-defined]  # every model has it
    kept = next(f.column for f in model._meta.concrete_fields if f.name not in {"id", *GUARDED[model]})
    refused(f"UPDATE {table_of(model)} SET id = id + 1000, {kept} = {kept}", "UPDATE")
    refused(f"DELETE FROM {table_of(model)}", "DELETE")
    refused(f"TRUNCATE {table_of(model)} CASCADE", "TRUNCATE")
    assert list(model.objects.values()) == before  # type: ignore[attr-defined]  # every model has it


@pytest.mark.parametrize(
    ("model", "column"),
    [
        (model, field.column)
        for model in (PromptVersion, SourceObject)
        for field in model._meta.concrete_fields
        if field.name not in {"id", *GUARDED[model]}
    ],
)
def test_of_rows_with_a_state_every_other_column_stays(model: Any, column: str) -> None:
    other = {"bytea": "'\\x00'", "boolean": f"NOT {column}", "bigint": f"coalesce({column}, 0) + 1"}
    other |= {"integer": f"{column} + 1", "jsonb": "'[\"x\"]'", "timestamp with time zone": "now()"}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
            [table_of(model), column],
        )
        (kind,) = cursor.fetchone()
    refused(f"UPDATE {table_of(model)} SET {column} = {other.get(kind, chr(39) + 'x' + chr(39))}", "UPDATE")


def test_what_a_review_writes_goes_through() -> None:
    PromptVersion.objects.update(state="in_review", submitted_by_name="ada", submitted_by_user_id=7)
    SourceObject.objects.update(state="superseded")
    assert PromptVersion.objects.get().submitted_by_user_id == 7


def test_the_triggers_are_those_that_the_models_promise_and_fire_always() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'console\\_keep\\_%'"
        )
        found = {(table, name): enabled for table, name, enabled in cursor.fetchall()}
    assert found == {
        (table_of(model), f"console_keep_{operation}"): "A" for model in GUARDED for operation in OPERATIONS
    }


def test_nothing_of_the_switchable_triggers_is_left() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'")
        triggers = cursor.fetchall()
        cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE '%pgtrigger%'")
        assert (triggers, cursor.fetchall()) == ([], [])


def test_the_trail_says_what_was_written() -> None:
    assert (AuditEvent.objects.get(verb="thread.content_viewed").reason, SnapshotPage.objects.count()) == (
        "",
        1,
    )
