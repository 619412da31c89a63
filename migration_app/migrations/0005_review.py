"""The review queue, and the trigger that keeps it: a row comes when a thread enters review, and goes when it leaves."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What decides about a thread ends its assignment when it is handed out: accept as is, re-migrate, roll back. A retry and
# an exclusion take the thread out of review at once. A verification may bring it back, to the same person.
KEEP_CASES = """
CREATE FUNCTION console_keep_review_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'needs_review' THEN
        DELETE FROM migration_app_reviewcase WHERE thread_id = NEW.id;
        DELETE FROM migration_app_reviewreading WHERE thread_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO migration_app_reviewcase AS c (thread_id, code, pending_work, assistant_id, batch_id, user_ref, entered_at)
    VALUES (NEW.id, NEW.error_code, NEW.pending_work, NEW.assistant_id, NEW.batch_id, NEW.user_ref, now())
    ON CONFLICT (thread_id) DO UPDATE
    SET code = excluded.code, pending_work = excluded.pending_work, assistant_id = excluded.assistant_id,
        batch_id = excluded.batch_id, user_ref = excluded.user_ref,
        person_id = CASE WHEN excluded.pending_work IN ('accept', 'remigrate', 'rollback') THEN NULL ELSE c.person_id END,
        assigned_at = CASE WHEN excluded.pending_work IN ('accept', 'remigrate', 'rollback') THEN NULL
                      ELSE c.assigned_at END;
    RETURN NULL;
END $$;
CREATE TRIGGER console_review_enter AFTER INSERT ON migration_app_thread
    FOR EACH ROW WHEN (NEW.status = 'needs_review') EXECUTE FUNCTION console_keep_review_case();
CREATE TRIGGER console_review_case AFTER UPDATE ON migration_app_thread
    FOR EACH ROW WHEN (OLD.status = 'needs_review' OR NEW.status = 'needs_review')
    EXECUTE FUNCTION console_keep_review_case();
"""
KEEP_CASES_AWAY = """
DROP TRIGGER console_review_case ON migration_app_thread;
DROP TRIGGER console_review_enter ON migration_app_thread;
DROP FUNCTION console_keep_review_case();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('migration_app', '0004_operation'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReviewReading',
            fields=[
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('thread', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='review_reading', serialize=False, to='migration_app.thread')),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('finished', 'finished'), ('failed', 'failed')], max_length=16)),
                ('conversation_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='conversation id')),
                ('found', models.BooleanField(default=False)),
                ('first_item', models.PositiveIntegerField(default=0)),
                ('kept_count', models.PositiveIntegerField(default=0)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('payload', models.BinaryField(null=True)),
                ('read_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ReviewCase',
            fields=[
                ('thread', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='review_case', serialize=False, to='migration_app.thread')),
                ('code', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('pending_work', models.CharField(blank=True, max_length=16)),
                ('user_ref', models.CharField(blank=True, db_collation='C', max_length=512)),
                ('entered_at', models.DateTimeField(verbose_name='in review since')),
                ('assigned_at', models.DateTimeField(null=True)),
                ('assistant', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='migration_app.assistant')),
                ('batch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='migration_app.batch')),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='assigned to')),
            ],
            options={
                'ordering': ['entered_at', 'thread_id'],
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('pending_work', '')), fields=['code', 'entered_at', 'thread'], name='review_code'), models.Index(condition=models.Q(('pending_work', ''), ('assistant__isnull', False)), fields=['assistant', 'code', 'entered_at', 'thread'], name='review_assistant'), models.Index(condition=models.Q(('pending_work', ''), ('batch__isnull', False)), fields=['batch', 'code', 'entered_at', 'thread'], name='review_batch'), models.Index(condition=models.Q(('pending_work', ''), models.Q(('user_ref', ''), _negated=True)), fields=['user_ref', 'code', 'entered_at', 'thread'], name='review_user'), models.Index(condition=models.Q(('pending_work', ''), ('person__isnull', False)), fields=['person', 'code', 'entered_at', 'thread'], name='review_person')],
            },
        ),
        migrations.RunSQL(KEEP_CASES, KEEP_CASES_AWAY),
    ]
