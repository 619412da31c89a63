"""Imports, reconciliations, try-outs and readiness checks get the same columns of a task."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migration_app", "0014_import_notes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            migrations.RenameField(model, "run_token", "claim_token")
            for model in ("sourceimport", "reconciliation", "trial", "readinesscheck")
        ),
        migrations.RenameField("trial", "stop_reason", "error_text"),
        migrations.RenameField("readinesscheck", "requested_by_name", "created_by_name"),
        migrations.RenameField("readinesscheck", "requested_at", "created_at"),
        migrations.AlterField("readinesscheck", "created_at", models.DateTimeField(auto_now_add=True)),
        migrations.AddField(
            "readinesscheck",
            "created_by",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField("readinesscheck", "started_at", models.DateTimeField(blank=True, null=True)),
    ]
