"""Lists: filters that people keep, and the indexes of searches for a part of an id or of the user's reference."""

from __future__ import annotations

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migration_app", "0005_review"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_name", models.CharField(max_length=100, verbose_name="list")),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(max_length=2000)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("user", "list_name", "name"), name="saved_filter_name_unique")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="formerconversation",
            index=models.Index(fields=["conversation_id"], name="former_conversation_id"),
        ),
        migrations.AddIndex(
            model_name="thread",
            index=models.Index(django.db.models.functions.text.Reverse("thread_id"), name="thread_id_reversed"),
        ),
        migrations.AddIndex(
            model_name="thread",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("user_ref"), name="gin_trgm_ops"
                ),
                condition=models.Q(("user_ref", ""), _negated=True),
                name="thread_user_ref_parts",
            ),
        ),
    ]
