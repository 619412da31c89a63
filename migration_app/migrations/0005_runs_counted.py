"""A row a run, and counters of their tokens."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# Their rows live for seconds, and every page reads them: dead ones must not pile up (as in 0003).
VACUUM = """
    ALTER TABLE migration_app_runtallychange SET (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE migration_app_runtally SET (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
"""
VACUUM_BACK = """
    ALTER TABLE migration_app_runtallychange RESET (
        autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
    ALTER TABLE migration_app_runtally RESET (
        autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
"""


class Migration(migrations.Migration):
    """One transaction, as every migration here."""

    dependencies = [
        ("migration_app", "0004_prompts_proven"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunTallyChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "assistant_id",
                    models.CharField(
                        blank=True, db_collation="C", max_length=255, verbose_name="assistant id"
                    ),
                ),
                ("month", models.CharField(db_collation="C", max_length=7)),
                ("model", models.CharField(blank=True, db_collation="C", max_length=255)),
                ("status", models.CharField(db_collation="C", max_length=32)),
                ("runs", models.BigIntegerField()),
                ("runs_with_usage", models.BigIntegerField()),
                ("prompt_tokens", models.BigIntegerField()),
                ("completion_tokens", models.BigIntegerField()),
                ("total_tokens", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RunTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "assistant_id",
                    models.CharField(
                        blank=True, db_collation="C", max_length=255, verbose_name="assistant id"
                    ),
                ),
                ("month", models.CharField(db_collation="C", max_length=7)),
                ("model", models.CharField(blank=True, db_collation="C", max_length=255)),
                ("status", models.CharField(db_collation="C", max_length=32)),
                ("runs", models.BigIntegerField()),
                ("runs_with_usage", models.BigIntegerField()),
                ("prompt_tokens", models.BigIntegerField()),
                ("completion_tokens", models.BigIntegerField()),
                ("total_tokens", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("assistant_id", "month", "model", "status"), name="run_tally_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("run_id", models.CharField(db_collation="C", max_length=255, verbose_name="run id")),
                (
                    "assistant_id",
                    models.CharField(
                        blank=True, db_collation="C", max_length=255, verbose_name="assistant id"
                    ),
                ),
                ("status", models.CharField(db_collation="C", max_length=32)),
                ("model", models.CharField(blank=True, db_collation="C", max_length=255)),
                ("created_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("prompt_tokens", models.PositiveIntegerField(blank=True, null=True)),
                ("completion_tokens", models.PositiveIntegerField(blank=True, null=True)),
                ("total_tokens", models.PositiveIntegerField(blank=True, null=True)),
                ("error_code", models.CharField(blank=True, db_collation="C", max_length=64)),
                ("incomplete_reason", models.CharField(blank=True, db_collation="C", max_length=64)),
                ("tool_calls", models.JSONField(blank=True, default=dict)),
                (
                    "thread",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="migration_app.thread",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["assistant_id", "id"], name="run_assistant"),
                    models.Index(fields=["status", "id"], name="run_status"),
                    models.Index(
                        condition=models.Q(("error_code", ""), _negated=True),
                        fields=["error_code", "id"],
                        name="run_error",
                    ),
                    django.contrib.postgres.indexes.HashIndex(fields=["run_id"], name="run_by_id"),
                ],
                "constraints": [models.UniqueConstraint(fields=("thread", "run_id"), name="run_unique")],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="run",
            trigger=pgtrigger.compiler.Trigger(
                name="run_tally_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO migration_app_runtallychange (assistant_id, month, model, status, runs, runs_with_usage, prompt_tokens, completion_tokens, total_tokens) SELECT assistant_id, month, model, status, sum(runs), sum(runs_with_usage), sum(prompt_tokens), sum(completion_tokens), sum(total_tokens) FROM (SELECT assistant_id AS assistant_id, coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '') AS month, model AS model, status AS status, 1 * 1::bigint AS runs, 1 * CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END::bigint AS runs_with_usage, 1 * coalesce(prompt_tokens, 0)::bigint AS prompt_tokens, 1 * coalesce(completion_tokens, 0)::bigint AS completion_tokens, 1 * coalesce(total_tokens, 0)::bigint AS total_tokens FROM new_rows) AS changed GROUP BY assistant_id, month, model, status HAVING sum(runs) <> 0 OR sum(runs_with_usage) <> 0 OR sum(prompt_tokens) <> 0 OR sum(completion_tokens) <> 0 OR sum(total_tokens) <> 0; RETURN NULL;",
                    hash="58ee86821d98f6c4573eb04a3fd764bf419f2926",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_run_tally_insert_0cf09",
                    referencing="REFERENCING NEW TABLE AS new_rows ",
                    table="migration_app_run",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="run",
            trigger=pgtrigger.compiler.Trigger(
                name="run_tally_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO migration_app_runtallychange (assistant_id, month, model, status, runs, runs_with_usage, prompt_tokens, completion_tokens, total_tokens) SELECT assistant_id, month, model, status, sum(runs), sum(runs_with_usage), sum(prompt_tokens), sum(completion_tokens), sum(total_tokens) FROM (SELECT assistant_id AS assistant_id, coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '') AS month, model AS model, status AS status, -1 * 1::bigint AS runs, -1 * CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END::bigint AS runs_with_usage, -1 * coalesce(prompt_tokens, 0)::bigint AS prompt_tokens, -1 * coalesce(completion_tokens, 0)::bigint AS completion_tokens, -1 * coalesce(total_tokens, 0)::bigint AS total_tokens FROM old_rows UNION ALL SELECT assistant_id AS assistant_id, coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '') AS month, model AS model, status AS status, 1 * 1::bigint AS runs, 1 * CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END::bigint AS runs_with_usage, 1 * coalesce(prompt_tokens, 0)::bigint AS prompt_tokens, 1 * coalesce(completion_tokens, 0)::bigint AS completion_tokens, 1 * coalesce(total_tokens, 0)::bigint AS total_tokens FROM new_rows) AS changed GROUP BY assistant_id, month, model, status HAVING sum(runs) <> 0 OR sum(runs_with_usage) <> 0 OR sum(prompt_tokens) <> 0 OR sum(completion_tokens) <> 0 OR sum(total_tokens) <> 0; RETURN NULL;",
                    hash="7daac5d218cae743a5c834475fbf769348433879",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_run_tally_update_3ab9a",
                    referencing="REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ",
                    table="migration_app_run",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="run",
            trigger=pgtrigger.compiler.Trigger(
                name="run_tally_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO migration_app_runtallychange (assistant_id, month, model, status, runs, runs_with_usage, prompt_tokens, completion_tokens, total_tokens) SELECT assistant_id, month, model, status, sum(runs), sum(runs_with_usage), sum(prompt_tokens), sum(completion_tokens), sum(total_tokens) FROM (SELECT assistant_id AS assistant_id, coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '') AS month, model AS model, status AS status, -1 * 1::bigint AS runs, -1 * CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END::bigint AS runs_with_usage, -1 * coalesce(prompt_tokens, 0)::bigint AS prompt_tokens, -1 * coalesce(completion_tokens, 0)::bigint AS completion_tokens, -1 * coalesce(total_tokens, 0)::bigint AS total_tokens FROM old_rows) AS changed GROUP BY assistant_id, month, model, status HAVING sum(runs) <> 0 OR sum(runs_with_usage) <> 0 OR sum(prompt_tokens) <> 0 OR sum(completion_tokens) <> 0 OR sum(total_tokens) <> 0; RETURN NULL;",
                    hash="8c63be7953cdc3806bd3674948ac9c0e399d92fb",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_run_tally_delete_e51da",
                    referencing="REFERENCING OLD TABLE AS old_rows ",
                    table="migration_app_run",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="run",
            trigger=pgtrigger.compiler.Trigger(
                name="run_tally_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="DELETE FROM migration_app_runtallychange; DELETE FROM migration_app_runtally; RETURN NULL;",
                    hash="ee7bb09938ca2ae33b98535b7ad425a049be09de",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_run_tally_truncate_fdd89",
                    table="migration_app_run",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(VACUUM, VACUUM_BACK),
    ]
