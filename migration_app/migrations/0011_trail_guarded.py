"""Triggers in plain SQL, which nobody but a table's owner switches off; who did it by id; servers' words apart.

The triggers before these were django-pgtrigger's: anyone with SQL could switch them off by ``SET pgtrigger.ignore``.
Databases that have them lose them here.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from migration_app.counters import counter_triggers, counter_triggers_drop

OLD_AWAY = """
DO $$
DECLARE old record;
BEGIN
    FOR old IN
        SELECT t.tgname, t.tgrelid::regclass AS relation, t.tgfoid::regprocedure AS function
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
        WHERE t.tgname LIKE 'pgtrigger\\_%' AND c.relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', old.tgname, old.relation);
        EXECUTE format('DROP FUNCTION %s', old.function);
    END LOOP;
END $$;
DROP FUNCTION IF EXISTS _pgtrigger_should_ignore(name);
"""

GUARD = """
CREATE FUNCTION console_keep_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- For rows the arguments name the columns that may change; a column that is new one day may not.
    IF TG_LEVEL = 'ROW' AND TG_OP = 'UPDATE' AND to_jsonb(OLD) - TG_ARGV = to_jsonb(NEW) - TG_ARGV THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% refused: rows of % are kept as they were written', TG_OP, TG_TABLE_NAME;
END $$;
"""
GUARD_AWAY = "DROP FUNCTION console_keep_rows();"

GUARDED = {
    "migration_app_auditevent": (),
    "migration_app_snapshotpage": (),
    "migration_app_sourceobject": ("state",),
    "migration_app_promptversion": (
        "state",
        "submitted_by_name",
        "submitted_by_user_id",
        "decided_by_name",
        "decided_by_user_id",
        "decided_at",
        "activated_by_name",
        "activated_by_user_id",
        "activated_at",
    ),
}


def _guards() -> str:
    """A trigger a table for UPDATE, DELETE and TRUNCATE; ALWAYS: also under session_replication_role = replica."""
    lines = []
    for table, changing in GUARDED.items():
        arguments = ", ".join(f"'{name}'" for name in changing)
        level = "ROW" if changing else "STATEMENT"
        for name, operation, each, given in (
            ("console_keep_update", "UPDATE", level, arguments),
            # By row: whoever deletes a thread that has no page deletes none.
            ("console_keep_delete", "DELETE", "ROW", ""),
            ("console_keep_truncate", "TRUNCATE", "STATEMENT", ""),
        ):
            lines += [
                f"CREATE TRIGGER {name} BEFORE {operation} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION console_keep_rows({given});",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};",
            ]
    return "\n".join(lines)


def _guards_away() -> str:
    return "\n".join(
        f"DROP TRIGGER console_keep_{operation} ON {table};"
        for table in GUARDED
        for operation in ("update", "delete", "truncate")
    )


# The counters of threads and of runs, as ``counters`` declares them; a test compares what is installed with it.
THREAD_KEYS = {
    "batch_pk": "batch_id",
    "status": "status",
    "fidelity": "fidelity",
    "error_code": "error_code",
    "pending_work": "pending_work",
    "has_snapshot": "snapshot_at IS NOT NULL",
}
THREAD_MEASURES = {
    "threads": "1",
    "messages": "message_count",
    "items": "item_count",
    "chunks": "chunk_count",
    "reads": "greatest((item_count + 99) / 100, 1)",
    "payload_bytes": "payload_bytes",
}
RUN_KEYS = {
    "assistant_id": "assistant_id",
    "month": "coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '')",
    "model": "model",
    "status": "status",
}
RUN_MEASURES = {
    "runs": "1",
    "runs_with_usage": "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    "prompt_tokens": "coalesce(prompt_tokens, 0)",
    "completion_tokens": "coalesce(completion_tokens, 0)",
    "total_tokens": "coalesce(total_tokens, 0)",
}
_THREADS = ("migration_app_thread", "migration_app_tally")
_RUNS = ("migration_app_run", "migration_app_runtally")


class Migration(migrations.Migration):
    """One transaction, as every migration here."""

    dependencies = [("migration_app", "0010_plans_compared")]

    operations = [
        migrations.RunSQL(OLD_AWAY, migrations.RunSQL.noop),
        *(
            migrations.AddField(
                model_name=model, name=name, field=models.BigIntegerField(blank=True, null=True)
            )
            for model, name in (
                ("assistant", "requested_by_user_id"),
                ("batch", "approved_by_user_id"),
                ("promptversion", "author_user_id"),
                ("promptversion", "submitted_by_user_id"),
                ("promptversion", "decided_by_user_id"),
                ("promptversion", "activated_by_user_id"),
            )
        ),
        migrations.CreateModel(
            name="ServerWords",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(db_collation="C", max_length=64)),
                ("item", models.PositiveIntegerField(default=0)),
                ("status", models.PositiveSmallIntegerField(default=0, verbose_name="HTTP status")),
                ("request_id", models.CharField(blank=True, max_length=128)),
                ("words", models.TextField()),
                ("said_at", models.DateTimeField()),
                (
                    "thread",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="server_words",
                        to="migration_app.thread",
                    ),
                ),
            ],
            options={
                "ordering": ["thread_id", "-said_at", "item"],
                "permissions": [("erase_server_words", "Can erase what servers said of threads")],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("thread", "code", "item"), name="serverwords_last_of_a_kind"
                    )
                ],
            },
        ),
        migrations.RunSQL(GUARD, GUARD_AWAY),
        migrations.RunSQL(_guards(), _guards_away()),
        migrations.RunSQL(counter_triggers(*_THREADS, THREAD_KEYS, THREAD_MEASURES), counter_triggers_drop(*_THREADS)),
        migrations.RunSQL(counter_triggers(*_RUNS, RUN_KEYS, RUN_MEASURES), counter_triggers_drop(*_RUNS)),
    ]
