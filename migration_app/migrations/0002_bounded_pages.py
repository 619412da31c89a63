"""What keeps two pages as quick with millions of rows as with few: a part of a user's reference, tokens by month."""

from django.db import migrations, models

# PostgreSQL doesn't use what it knows of a partial index's expression: without this it would take a text that all users
# have for a rare one, and read them all.
_USERS = "CREATE STATISTICS thread_user_ref_upper ON (upper(user_ref)) FROM migration_app_thread"


class Migration(migrations.Migration):
    dependencies = [("migration_app", "0001_initial")]

    operations = [
        migrations.RunSQL(_USERS, "DROP STATISTICS thread_user_ref_upper"),
        migrations.AddIndex(
            model_name="runtally",
            index=models.Index(fields=["-month", "assistant_id", "model"], name="run_tally_month"),
        ),
    ]
