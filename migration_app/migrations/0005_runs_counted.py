"""A row a run, and counters of their tokens."""

import django.contrib.postgres.indexes
import django.db.models.deletion
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
        migrations.RunSQL(VACUUM, VACUUM_BACK),
    ]
