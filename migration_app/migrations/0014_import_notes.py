from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("migration_app", "0013_losses_marked")]

    operations = [
        migrations.AddField(
            model_name="sourceimport",
            name="notes",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
