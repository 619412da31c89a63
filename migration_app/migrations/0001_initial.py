"""The console's tables; the guards on what only grows, and the triggers of the counters.

A guard is plain SQL, which nobody but a table's owner switches off.
"""

from __future__ import annotations

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models
from django.contrib.postgres.operations import TrigramExtension

from migration_app.counters import counter_triggers, counter_triggers_drop

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


# The counters of threads, of runs and of results, as ``counters`` declares them; a test compares what is installed with it.
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
RESULT_KEYS = {"batch_pk": "batch_id", "result": "result", "error_code": "error_code"}
RESULT_MEASURES = {"results": "1", "messages": "messages", "retries": "retries"}
_THREADS = ("migration_app_thread", "migration_app_tally")
_RUNS = ("migration_app_run", "migration_app_runtally")
_RESULTS = ("migration_app_batchresult", "migration_app_batchtally")

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

_COUNTERS = ("tallychange", "tally", "runtallychange", "runtally", "batchtallychange", "batchtally")


def _vacuum() -> str:
    """Counters' rows live for seconds, and every page reads them: dead ones must not pile up."""
    return "\n".join(
        f"ALTER TABLE migration_app_{table} SET (autovacuum_vacuum_scale_factor = 0,"
        " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);"
        for table in _COUNTERS
    )


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='Assistant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assistant_id', models.CharField(db_collation='C', max_length=255, verbose_name='assistant id')),
                ('name', models.CharField(blank=True, max_length=512)),
                ('model', models.CharField(blank=True, max_length=255)),
                ('status', models.CharField(choices=[('registered', 'registered'), ('snapshotted', 'snapshotted'), ('queued', 'queued'), ('converted', 'converted'), ('failed', 'failed')], default='registered', max_length=16)),
                ('fidelity', models.CharField(blank=True, choices=[('exact', 'exact'), ('transformed', 'transformed'), ('lossy', 'lossy'), ('blocked', 'blocked')], max_length=16)),
                ('requested_by_name', models.CharField(blank=True, max_length=255, verbose_name='conversion asked for by')),
                ('requested_by_user_id', models.BigIntegerField(blank=True, null=True)),
                ('requested_at', models.DateTimeField(blank=True, null=True, verbose_name='conversion asked for at')),
                ('outcome', models.CharField(blank=True, choices=[('created', 'new version'), ('unchanged', 'unchanged'), ('failed', 'failed')], db_default='', default='', max_length=16)),
                ('outcome_text', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('unchanged_sha256', models.CharField(blank=True, db_collation='C', db_default='', default='', max_length=64)),
                ('source_check', models.CharField(blank=True, choices=[('asked', 'asked for'), ('same', 'the same'), ('changed', 'changed'), ('missing', 'no longer there'), ('failed', 'failed')], db_default='', default='', max_length=16)),
                ('source_check_asked_by_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('source_checked_at', models.DateTimeField(blank=True, null=True)),
                ('source_check_text', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('source_created_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('convert_assistant', 'Can convert assistants to prompts')],
            },
        ),
        migrations.CreateModel(
            name='BatchTallyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch_pk', models.BigIntegerField()),
                ('result', models.CharField(db_collation='C', max_length=16)),
                ('error_code', models.CharField(db_collation='C', max_length=64)),
                ('results', models.BigIntegerField()),
                ('messages', models.BigIntegerField()),
                ('retries', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('conversation_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='conversation id')),
                ('state', models.CharField(choices=[('creating', 'creating'), ('open', 'open'), ('complete', 'complete'), ('verified', 'verified'), ('deleting', 'being deleted')], default='creating', max_length=16)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('fingerprint', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('policies', models.JSONField(blank=True, default=dict)),
                ('policies_version', models.PositiveSmallIntegerField(default=2)),
                ('replacements', models.JSONField(blank=True, default=list)),
                ('continued_after', models.PositiveIntegerField(blank=True, null=True)),
                ('not_shown', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('create_request_id', models.CharField(blank=True, max_length=128)),
                ('intended_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(blank=True, null=True)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('verified_at', models.DateTimeField(blank=True, null=True)),
                ('mapped_at', models.DateTimeField(blank=True, null=True, verbose_name='first in the mapping')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='KeptSelection',
            fields=[
                ('key', models.CharField(db_collation='C', max_length=32, primary_key=True, serialize=False)),
                ('model', models.CharField(max_length=64, verbose_name='model that the keys belong to')),
                ('pks', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='MinuteSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(unique=True)),
                ('taken_at', models.DateTimeField()),
                ('verified', models.PositiveBigIntegerField()),
                ('in_flight', models.PositiveBigIntegerField()),
                ('waiting', models.PositiveBigIntegerField()),
                ('attention', models.PositiveBigIntegerField()),
                ('excluded', models.PositiveBigIntegerField()),
                ('messages', models.PositiveBigIntegerField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Thread',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('thread_id', models.CharField(db_collation='C', max_length=255, verbose_name='thread id')),
                ('user_ref', models.CharField(blank=True, db_collation='C', max_length=512, verbose_name='user reference')),
                ('status', models.CharField(choices=[('registered', 'registered'), ('snapshotted', 'snapshotted'), ('blocked', 'blocked'), ('queued', 'queued'), ('backfilling', 'backfilling'), ('backfilled', 'backfilled'), ('verified', 'verified'), ('needs_review', 'needs review'), ('failed', 'failed'), ('source_missing', 'source missing'), ('excluded', 'excluded'), ('rolling_back', 'rolling back'), ('rolled_back', 'rolled back')], default='registered', max_length=16)),
                ('fidelity', models.CharField(blank=True, choices=[('exact', 'exact'), ('transformed', 'transformed'), ('lossy', 'lossy'), ('blocked', 'blocked')], max_length=16)),
                ('message_count', models.PositiveIntegerField(default=0)),
                ('run_count', models.PositiveIntegerField(default=0)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('chunk_count', models.PositiveIntegerField(default=0)),
                ('payload_bytes', models.PositiveBigIntegerField(default=0, verbose_name='bytes to send')),
                ('plan_digest', models.CharField(blank=True, db_collation='C', db_default='', default='', max_length=64)),
                ('finding_counts', models.JSONField(blank=True, default=dict)),
                ('resources', models.TextField(blank=True, db_default='', default='')),
                ('first_message_at', models.DateTimeField(blank=True, null=True)),
                ('last_message_at', models.DateTimeField(blank=True, null=True)),
                ('source_created_at', models.DateTimeField(blank=True, null=True)),
                ('snapshot_at', models.DateTimeField(blank=True, null=True)),
                ('snapshot_sequence', models.PositiveIntegerField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('error_text', models.TextField(blank=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('restarts', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('pending_work', models.CharField(blank=True, choices=[('snapshot', 'snapshot'), ('backfill', 'backfill'), ('verify', 'verify'), ('resources', 'check files'), ('rollback', 'roll back'), ('accept', 'accept as is'), ('remigrate', 're-migrate')], max_length=16)),
                ('not_before', models.DateTimeField(blank=True, null=True)),
                ('work_started_at', models.DateTimeField(blank=True, null=True)),
                ('retries', models.PositiveIntegerField(db_default=0, default=0)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('assistant', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='threads', to='migration_app.assistant')),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('snapshot_thread', 'Can snapshot threads from a live source'), ('preflight_thread', 'Can preflight threads'), ('backfill_thread', 'Can backfill threads'), ('verify_thread', 'Can verify threads'), ('retry_thread', 'Can retry threads'), ('exclude_thread', 'Can exclude threads'), ('review_thread', 'Can decide about threads in review: accept them as is, or re-migrate them'), ('rollback_thread', 'Can roll threads back: delete what was sent to the target'), ('approve_rollback', 'Can approve a roll back that somebody else requested'), ('export_mapping', 'Can export the mapping')],
            },
        ),
        migrations.CreateModel(
            name='RunTallyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assistant_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='assistant id')),
                ('month', models.CharField(db_collation='C', max_length=7)),
                ('model', models.CharField(blank=True, db_collation='C', max_length=255)),
                ('status', models.CharField(db_collation='C', max_length=32)),
                ('runs', models.BigIntegerField()),
                ('runs_with_usage', models.BigIntegerField()),
                ('prompt_tokens', models.BigIntegerField()),
                ('completion_tokens', models.BigIntegerField()),
                ('total_tokens', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='TallyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(db_collation='C', max_length=16)),
                ('fidelity', models.CharField(db_collation='C', max_length=16)),
                ('error_code', models.CharField(db_collation='C', max_length=64)),
                ('pending_work', models.CharField(db_collation='C', max_length=16)),
                ('has_snapshot', models.BooleanField()),
                ('threads', models.BigIntegerField()),
                ('messages', models.BigIntegerField()),
                ('items', models.BigIntegerField()),
                ('chunks', models.BigIntegerField()),
                ('reads', models.BigIntegerField()),
                ('payload_bytes', models.BigIntegerField()),
                ('batch_pk', models.BigIntegerField(null=True)),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='TargetBehaviour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('target', models.CharField(max_length=255, unique=True)),
                ('repeats', models.CharField(choices=[('unknown', 'not known'), ('refused', 'refused'), ('taken', 'taken again')], default='unknown', max_length=16)),
                ('repeats_note', models.CharField(blank=True, max_length=255)),
                ('repeats_seen_at', models.DateTimeField(blank=True, null=True)),
                ('probe_after', models.DateTimeField(blank=True, null=True)),
                ('scratch_id', models.CharField(blank=True, max_length=255)),
                ('list_lag_seconds', models.FloatField(default=0.0)),
                ('list_lag_seen_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['target'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ApiHealth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('api', models.CharField(choices=[('source', 'source'), ('target', 'target')], max_length=16)),
                ('address', models.CharField(max_length=255)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('failed_code', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('api', 'address'), name='apihealth_unique')],
            },
        ),
        migrations.CreateModel(
            name='ApiMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('api', models.CharField(choices=[('source', 'source'), ('target', 'target')], max_length=16)),
                ('minute', models.DateTimeField()),
                ('calls', models.PositiveIntegerField()),
                ('throttled', models.PositiveIntegerField()),
                ('failed', models.PositiveIntegerField()),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('minute', 'api'), name='apiminute_unique')],
            },
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('actor', models.CharField(max_length=255)),
                ('actor_user_id', models.BigIntegerField(blank=True, null=True)),
                ('verb', models.CharField(db_collation='C', max_length=64)),
                ('subject_kind', models.CharField(db_collation='C', max_length=32)),
                ('subject_id', models.CharField(db_collation='C', max_length=255, verbose_name='subject id')),
                ('before', models.CharField(blank=True, max_length=64)),
                ('after', models.CharField(blank=True, max_length=64)),
                ('reason', models.TextField(blank=True)),
                ('batch_pk', models.BigIntegerField(blank=True, null=True, verbose_name='batch')),
                ('job_id', models.CharField(blank=True, max_length=128)),
                ('request_id', models.CharField(blank=True, max_length=128)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['subject_id', 'subject_kind', 'id'], name='audit_subject'), models.Index(fields=['at', 'id'], name='audit_at'), models.Index(fields=['verb', 'at', 'id'], name='audit_verb'), models.Index(condition=models.Q(('batch_pk__isnull', False)), fields=['batch_pk', 'at', 'id'], name='audit_batch')],
            },
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('snapshot', 'snapshot'), ('backfill', 'backfill'), ('verify', 'verify'), ('resources', 'check files'), ('retry', 'retry'), ('exclude', 'exclude'), ('rollback', 'roll back'), ('accept', 'accept as is'), ('remigrate', 're-migrate')], max_length=16)),
                ('state', models.CharField(choices=[('waiting', 'waiting for approval'), ('preparing', 'preparing'), ('running', 'running'), ('paused', 'paused'), ('cancelling', 'cancelling'), ('cancelled', 'cancelled'), ('finished', 'finished'), ('failed', 'failed')], default='preparing', max_length=16)),
                ('filter', models.JSONField()),
                ('selection_key', models.CharField(blank=True, db_collation='C', db_default='', default='', max_length=64)),
                ('start_token', models.CharField(blank=True, db_collation='C', max_length=96, null=True, unique=True)),
                ('max_thread_pk', models.BigIntegerField()),
                ('prepared_up_to', models.BigIntegerField(default=0)),
                ('reason', models.TextField()),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('window', models.PositiveSmallIntegerField(default=32, verbose_name='calls in flight')),
                ('requests_per_minute', models.PositiveIntegerField(blank=True, null=True)),
                ('urgent', models.BooleanField(default=False)),
                ('held_text', models.TextField(blank=True, db_default='', default='', verbose_name='why it is held')),
                ('approved_by_name', models.CharField(blank=True, db_default='', default='', max_length=255, verbose_name='approved by')),
                ('approved_by_user_id', models.BigIntegerField(blank=True, null=True)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('selected_count', models.PositiveIntegerField(default=0)),
                ('taken_count', models.PositiveIntegerField(default=0)),
                ('call_count', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('retry_count', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('throttled_count', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('estimated_calls', models.PositiveBigIntegerField(blank=True, null=True)),
                ('estimated_seconds', models.PositiveBigIntegerField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'batches',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='BatchMinute',
            fields=[
                ('pk', models.CompositePrimaryKey('batch_id', 'minute', blank=True, editable=False, primary_key=True, serialize=False)),
                ('minute', models.DateTimeField()),
                ('seconds', models.FloatField(db_default=0, default=0)),
                ('threads', models.PositiveIntegerField(db_default=0, default=0)),
                ('messages', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('calls', models.PositiveIntegerField(db_default=0, default=0)),
                ('retries', models.PositiveIntegerField(db_default=0, default=0)),
                ('throttled', models.PositiveIntegerField(db_default=0, default=0)),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='minutes', to='migration_app.batch')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BatchTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch_pk', models.BigIntegerField()),
                ('result', models.CharField(db_collation='C', max_length=16)),
                ('error_code', models.CharField(db_collation='C', max_length=64)),
                ('results', models.BigIntegerField()),
                ('messages', models.BigIntegerField()),
                ('retries', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('batch_pk', 'result', 'error_code'), name='batch_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField()),
                ('first_item', models.PositiveIntegerField()),
                ('item_count', models.PositiveSmallIntegerField()),
                ('digest', models.CharField(db_collation='C', max_length=64)),
                ('source_ids', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ('item_ids', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, size=None)),
                ('state', models.CharField(choices=[('sending', 'sending'), ('appended', 'appended'), ('deleting', 'being deleted')], default='sending', max_length=16)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('appended_at', models.DateTimeField(blank=True, null=True)),
                ('conversation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='migration_app.conversation')),
            ],
            options={
                'ordering': ['conversation_id', 'sequence'],
            },
        ),
        migrations.CreateModel(
            name='FunctionCalls',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pass_number', models.PositiveIntegerField()),
                ('name', models.CharField(db_collation='C', max_length=255, verbose_name='function')),
                ('calls', models.BigIntegerField(default=0)),
                ('threads', models.BigIntegerField(default=0)),
                ('assistants', models.BigIntegerField(default=0)),
            ],
            options={
                'ordering': ['name'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('pass_number', 'name'), name='functioncalls_unique')],
            },
        ),
        migrations.CreateModel(
            name='Prompt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(blank=True, max_length=512)),
                ('dashboard_prompt_id', models.CharField(blank=True, help_text='Optional note; these ids end on 2026-11-30.', max_length=255, verbose_name='dashboard prompt id')),
                ('dashboard_prompt_version', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('assistant', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='prompt', to='migration_app.assistant')),
            ],
            options={
                'ordering': ['slug'],
                'permissions': [('export_prompts', 'Can export prompts'), ('approve_prompt', 'Can approve or reject prompt versions in review'), ('activate_prompt', 'Can activate approved prompt versions, and roll back to earlier ones'), ('try_prompt', 'Can try prompts out at the target, which costs calls')],
            },
        ),
        migrations.CreateModel(
            name='PromptVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('spec_json', models.TextField()),
                ('sha256', models.CharField(db_collation='C', max_length=64)),
                ('findings', models.JSONField(blank=True, default=list)),
                ('fidelity', models.CharField(choices=[('exact', 'exact'), ('transformed', 'transformed'), ('lossy', 'lossy'), ('blocked', 'blocked')], max_length=16)),
                ('source_sha256', models.CharField(db_collation='C', max_length=64, verbose_name="sha256 of the assistant's snapshot")),
                ('author_name', models.CharField(max_length=255)),
                ('author_user_id', models.BigIntegerField(blank=True, null=True)),
                ('note', models.TextField(blank=True)),
                ('origin', models.CharField(choices=[('converted', 'converted from the assistant'), ('edited', 'edited'), ('imported', 'imported from a file'), ('replaced', 'model replaced')], default='converted', max_length=16)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('in_review', 'in review'), ('approved', 'approved'), ('rejected', 'rejected'), ('active', 'active'), ('retired', 'retired')], default='draft', max_length=16)),
                ('submitted_by_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('submitted_by_user_id', models.BigIntegerField(blank=True, null=True)),
                ('decided_by_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('decided_by_user_id', models.BigIntegerField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('activated_by_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('activated_by_user_id', models.BigIntegerField(blank=True, null=True)),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='migration_app.prompt')),
            ],
            options={
                'ordering': ['prompt_id', '-number'],
            },
        ),
        migrations.CreateModel(
            name='PromptNeeds',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(blank=True, db_collation='C', max_length=255)),
                ('functions', models.JSONField(default=list)),
                ('vector_stores', models.JSONField(default=list)),
                ('files', models.JSONField(default=list)),
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='needs', to='migration_app.promptversion')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ReadinessCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('kind', models.CharField(choices=[('target', 'models, vector stores and files at the target'), ('calls', 'calls of functions in the snapshots')], max_length=16)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('finished', 'finished'), ('failed', 'failed')], max_length=16)),
                ('good_at', models.DateTimeField(blank=True, null=True)),
                ('pass_number', models.PositiveIntegerField(default=0)),
                ('good_pass', models.PositiveIntegerField(default=0)),
                ('cursor', models.BigIntegerField(default=0)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('stopped', 'stopped'), ('finished', 'finished'), ('failed', 'failed')], default='queued', max_length=16)),
                ('checks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), size=None)),
                ('sample_size', models.PositiveIntegerField(blank=True, null=True)),
                ('seed', models.BigIntegerField(default=0)),
                ('quick', models.BooleanField(default=False)),
                ('window', models.PositiveSmallIntegerField(default=16, verbose_name='reads in flight')),
                ('scheduled', models.BooleanField(default=False)),
                ('reason', models.TextField(blank=True)),
                ('check_name', models.CharField(blank=True, max_length=32, verbose_name='check at hand')),
                ('cursor', models.BigIntegerField(default=0)),
                ('counts', models.JSONField(blank=True, default=dict)),
                ('review_asked_by_name', models.CharField(blank=True, max_length=255, verbose_name='review asked for by')),
                ('review_asked_by_id', models.BigIntegerField(blank=True, null=True)),
                ('review_reason', models.TextField(blank=True)),
                ('review_asked_at', models.DateTimeField(blank=True, null=True)),
                ('reviewed_at', models.DateTimeField(blank=True, null=True)),
                ('reviewed_count', models.PositiveIntegerField(default=0, verbose_name='threads sent to review')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('run_reconciliation', 'Can reconcile the database with the target')],
            },
        ),
        migrations.CreateModel(
            name='Resource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('file', 'file'), ('vector_store', 'vector store')], max_length=16)),
                ('resource_id', models.CharField(db_collation='C', max_length=255, verbose_name='resource id')),
                ('status', models.CharField(choices=[('alive', 'alive'), ('missing', 'missing'), ('expired', 'expired')], max_length=16)),
                ('checked_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['missing', 'expired'])), fields=['id'], name='resource_gone')],
                'constraints': [models.UniqueConstraint(fields=('kind', 'resource_id'), name='resource_unique')],
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
            ],
            options={
                'ordering': ['entered_at', 'thread_id'],
                'default_permissions': (),
            },
        ),
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
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='thread',
            name='batch',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='threads', to='migration_app.batch'),
        ),
        migrations.CreateModel(
            name='OrphanConversation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('intended_at', models.DateTimeField()),
                ('noticed_at', models.DateTimeField(auto_now_add=True)),
                ('reason', models.TextField()),
                ('metadata_keys', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, size=None)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('state', models.CharField(choices=[('open', 'open'), ('deleted', 'found and deleted'), ('accepted', 'accepted')], db_default='open', default='open', max_length=16)),
                ('note', models.TextField(blank=True, db_default='', default='')),
                ('closed_by_name', models.CharField(blank=True, db_default='', default='', max_length=255, verbose_name='closed by')),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('thread', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orphans', to='migration_app.thread')),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('close_orphan', 'Can close entries of the orphan ledger')],
            },
        ),
        migrations.CreateModel(
            name='FormerConversation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('conversation_id', models.CharField(db_collation='C', max_length=255, verbose_name='conversation id')),
                ('outcome', models.CharField(choices=[('rolled_back', 'rolled back'), ('left', 'left at the target'), ('given_up', 'given up in doubt')], max_length=16)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('left_behind', models.TextField(blank=True)),
                ('reason', models.TextField(blank=True)),
                ('actor', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(blank=True, null=True, verbose_name='created at the target')),
                ('detached_at', models.DateTimeField(auto_now_add=True)),
                ('item_ids', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, db_default=models.Value('{}'), default=list, size=None)),
                ('delete_after', models.DateTimeField(blank=True, null=True, verbose_name='to be deleted after')),
                ('delete_tries', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('deleted_at', models.DateTimeField(blank=True, null=True, verbose_name='found gone')),
                ('thread', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='former_conversations', to='migration_app.thread')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('check_name', models.CharField(max_length=32, verbose_name='check')),
                ('code', models.CharField(db_collation='C', max_length=64)),
                ('severity', models.CharField(choices=[('error', 'error'), ('warning', 'warning'), ('information', 'information')], max_length=16)),
                ('subject', models.CharField(blank=True, max_length=300)),
                ('claimed', models.TextField(blank=True)),
                ('found', models.TextField(blank=True)),
                ('noticed_at', models.DateTimeField(auto_now_add=True)),
                ('reconciliation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='discrepancies', to='migration_app.reconciliation')),
                ('thread', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='migration_app.thread')),
            ],
            options={
                'verbose_name_plural': 'discrepancies',
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='thread',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='conversation', to='migration_app.thread'),
        ),
        migrations.CreateModel(
            name='BatchResult',
            fields=[
                ('pk', models.CompositePrimaryKey('batch_id', 'thread_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('result', models.CharField(choices=[('verified', 'verified'), ('backfilled', 'backfilled'), ('snapshotted', 'snapshotted'), ('unchanged', 'unchanged'), ('checked', 'files checked'), ('accepted', 'accepted as is'), ('rolled_back', 'rolled back'), ('excluded', 'excluded'), ('included', 'included again'), ('failed', 'failed'), ('needs_review', 'needs review'), ('blocked', 'blocked'), ('source_missing', 'source missing'), ('cancelled', 'cancelled'), ('continued', 'continued in a later batch')], db_collation='C', max_length=16)),
                ('error_code', models.CharField(blank=True, db_collation='C', db_default='', default='', max_length=64)),
                ('retries', models.PositiveIntegerField(db_default=0, default=0)),
                ('messages', models.PositiveIntegerField(db_default=0, default=0)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField()),
                ('continued_in', models.BigIntegerField(blank=True, null=True)),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='migration_app.batch')),
                ('thread', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='migration_app.thread')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_id', models.CharField(db_collation='C', max_length=255, verbose_name='run id')),
                ('assistant_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='assistant id')),
                ('status', models.CharField(db_collation='C', max_length=32)),
                ('model', models.CharField(blank=True, db_collation='C', max_length=255)),
                ('created_at', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('prompt_tokens', models.PositiveIntegerField(blank=True, null=True)),
                ('completion_tokens', models.PositiveIntegerField(blank=True, null=True)),
                ('total_tokens', models.PositiveIntegerField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('incomplete_reason', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('tool_calls', models.JSONField(blank=True, default=dict)),
                ('thread', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='migration_app.thread')),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='RunTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assistant_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='assistant id')),
                ('month', models.CharField(db_collation='C', max_length=7)),
                ('model', models.CharField(blank=True, db_collation='C', max_length=255)),
                ('status', models.CharField(db_collation='C', max_length=32)),
                ('runs', models.BigIntegerField()),
                ('runs_with_usage', models.BigIntegerField()),
                ('prompt_tokens', models.BigIntegerField()),
                ('completion_tokens', models.BigIntegerField()),
                ('total_tokens', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('assistant_id', 'month', 'model', 'status'), name='run_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='SavedFilter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('list_name', models.CharField(max_length=100, verbose_name='list')),
                ('name', models.CharField(max_length=80)),
                ('query', models.CharField(max_length=2000)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ServerMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(db_collation='C', max_length=64)),
                ('item', models.PositiveIntegerField(default=0)),
                ('status', models.PositiveSmallIntegerField(default=0, verbose_name='HTTP status')),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('text', models.TextField()),
                ('said_at', models.DateTimeField()),
                ('thread', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='server_messages', to='migration_app.thread')),
            ],
            options={
                'ordering': ['thread_id', '-said_at', 'item'],
                'permissions': [('erase_server_messages', 'Can erase server messages of threads')],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SourceImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('kind', models.CharField(choices=[('archive', 'archive of API objects'), ('transcripts', 'transcripts'), ('thread_ids', 'thread ids')], max_length=16)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('finished', 'finished'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='waiting', max_length=16)),
                ('file_name', models.CharField(max_length=512)),
                ('file_bytes', models.PositiveBigIntegerField(default=0)),
                ('bytes_read', models.PositiveBigIntegerField(default=0)),
                ('counts', models.JSONField(blank=True, default=dict)),
                ('reject_count', models.PositiveIntegerField(default=0)),
                ('notes', models.JSONField(blank=True, default=list)),
                ('reason', models.TextField(blank=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('unassessed', models.BooleanField(default=False)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'import',
                'ordering': ['-id'],
                'permissions': [('import_archive', 'Can import archives, transcripts and thread ids')],
            },
        ),
        migrations.CreateModel(
            name='SourceDeletion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('thread', 'thread'), ('message', 'message')], db_collation='C', max_length=16)),
                ('object_id', models.CharField(db_collation='C', max_length=255, verbose_name='object id')),
                ('thread_id', models.CharField(blank=True, db_collation='C', max_length=255, verbose_name='thread id')),
                ('searched', models.BooleanField(default=False)),
                ('received_at', models.DateTimeField(auto_now_add=True)),
                ('source_import', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deletions', to='migration_app.sourceimport')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='SnapshotPage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('archive', 'archive lines'), ('transcript', 'transcript lines'), ('transcript_csv', 'transcript rows'), ('live', 'live answers'), ('rejects', 'what imports rejected')], max_length=16)),
                ('origin', models.CharField(db_collation='C', max_length=64)),
                ('order', models.CharField(choices=[('asc', 'asc'), ('desc', 'desc'), ('unknown', 'unknown')], default='unknown', max_length=8)),
                ('payload', models.BinaryField()),
                ('sha256', models.CharField(db_collation='C', max_length=64)),
                ('raw_bytes', models.PositiveBigIntegerField()),
                ('document_count', models.PositiveIntegerField()),
                ('redacted', models.BooleanField(default=False)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('received_at', models.DateTimeField(auto_now_add=True)),
                ('thread', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='migration_app.thread')),
                ('source_import', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pages', to='migration_app.sourceimport')),
            ],
            options={
                'ordering': ['thread_id', 'sequence'],
                'permissions': [('view_content', 'Can view message content (audited)')],
            },
        ),
        migrations.CreateModel(
            name='ImportReject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line_number', models.PositiveBigIntegerField()),
                ('reason', models.TextField()),
                ('raw', models.BinaryField()),
                ('source_import', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejects', to='migration_app.sourceimport')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ImportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField()),
                ('data', models.BinaryField()),
                ('source_import', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='migration_app.sourceimport')),
            ],
            options={
                'ordering': ['source_import_id', 'sequence'],
            },
        ),
        migrations.CreateModel(
            name='SourceObject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(db_collation='C', max_length=32)),
                ('object_id', models.CharField(db_collation='C', max_length=255, verbose_name='object id')),
                ('state', models.CharField(choices=[('current', 'current'), ('superseded', 'superseded'), ('conflict', 'conflict')], default='current', max_length=16)),
                ('payload', models.BinaryField()),
                ('sha256', models.CharField(db_collation='C', max_length=64)),
                ('redacted', models.BooleanField(default=False)),
                ('received_at', models.DateTimeField(auto_now_add=True)),
                ('source_import', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='source_objects', to='migration_app.sourceimport')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='assistant',
            name='source',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assistant', to='migration_app.sourceobject', verbose_name='snapshot'),
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(db_collation='C', max_length=16)),
                ('fidelity', models.CharField(db_collation='C', max_length=16)),
                ('error_code', models.CharField(db_collation='C', max_length=64)),
                ('pending_work', models.CharField(db_collation='C', max_length=16)),
                ('has_snapshot', models.BooleanField()),
                ('threads', models.BigIntegerField()),
                ('messages', models.BigIntegerField()),
                ('items', models.BigIntegerField()),
                ('chunks', models.BigIntegerField()),
                ('reads', models.BigIntegerField()),
                ('payload_bytes', models.BigIntegerField()),
                ('batch_pk', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('batch_pk', 'status', 'fidelity', 'error_code', 'pending_work', 'has_snapshot'), name='tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='TargetModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model_id', models.CharField(db_collation='C', max_length=255, verbose_name='model')),
                ('owned_by', models.CharField(blank=True, max_length=255)),
                ('created_at', models.DateTimeField(blank=True, null=True, verbose_name='made at')),
                ('shutdown_on', models.DateField(blank=True, null=True, verbose_name='shuts down on')),
                ('shutdown_text', models.CharField(blank=True, max_length=64)),
                ('is_listed', models.BooleanField(default=True)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['model_id'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('model_id',), name='targetmodel_unique')],
            },
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('error_text', models.TextField(blank=True)),
                ('created_by_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('stopping', 'stopping'), ('stopped', 'stopped'), ('finished', 'finished'), ('failed', 'failed')], default='queued', max_length=16)),
                ('reason', models.TextField()),
                ('max_calls', models.PositiveIntegerField(verbose_name='creates, appends and responses at most')),
                ('max_tokens', models.PositiveBigIntegerField(verbose_name='tokens at most')),
                ('max_rounds', models.PositiveSmallIntegerField(default=5, verbose_name='responses a turn at most')),
                ('max_output_tokens', models.PositiveIntegerField(default=4000, verbose_name='output tokens a response at most')),
                ('estimated', models.JSONField(blank=True, default=dict)),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='creates, appends and responses made')),
                ('cleaning_calls', models.PositiveIntegerField(default=0, verbose_name='reads and deletes made')),
                ('tokens_in', models.PositiveBigIntegerField(default=0)),
                ('tokens_out', models.PositiveBigIntegerField(default=0)),
                ('tokens_unknown', models.PositiveBigIntegerField(default=0)),
                ('revealed_at', models.DateTimeField(blank=True, null=True)),
                ('revealed_by_name', models.CharField(blank=True, max_length=255)),
                ('unjudged_at_reveal', models.PositiveIntegerField(db_default=0, default=0)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version_a', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trials_as_a', to='migration_app.promptversion')),
                ('version_b', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trials_as_b', to='migration_app.promptversion')),
            ],
            options={
                'verbose_name': 'try-out',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='TrialScratch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.CharField(max_length=1)),
                ('state', models.CharField(choices=[('creating', 'being created'), ('open', 'in use'), ('sending', 'history is being appended'), ('asking', 'a response is being asked for'), ('deleting', 'being deleted'), ('deleted', 'deleted'), ('lost', 'create not answered'), ('left_behind', 'could not be deleted')], default='creating', max_length=16)),
                ('conversation_id', models.CharField(blank=True, db_collation='C', max_length=255)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('last_item_id', models.CharField(blank=True, max_length=255)),
                ('history_sha256', models.CharField(blank=True, db_collation='C', max_length=64)),
                ('response_ids', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), blank=True, default=list, size=None)),
                ('left_behind', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('thread', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='migration_app.thread')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scratches', to='migration_app.trial')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='TrialTurn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(verbose_name='place in the try-out, from 0')),
                ('number', models.PositiveIntegerField(verbose_name='user turn of the thread, from 1')),
                ('message_id', models.CharField(db_collation='C', max_length=255, verbose_name='id of its first message')),
                ('content', models.BinaryField(null=True)),
                ('old_tokens_in', models.PositiveBigIntegerField(null=True)),
                ('old_tokens_out', models.PositiveBigIntegerField(null=True)),
                ('old_seconds', models.FloatField(null=True)),
                ('verdict', models.CharField(blank=True, choices=[('better', 'better'), ('same', 'same'), ('worse', 'worse'), ('a', 'A is better'), ('b', 'B is better')], max_length=8)),
                ('comment', models.TextField(blank=True)),
                ('judged_by_name', models.CharField(blank=True, max_length=255)),
                ('judged_at', models.DateTimeField(blank=True, null=True)),
                ('thread', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trial_turns', to='migration_app.thread')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='turns', to='migration_app.trial')),
            ],
            options={
                'ordering': ['trial_id', 'position'],
            },
        ),
        migrations.CreateModel(
            name='TrialResult',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.CharField(choices=[('a', 'a'), ('b', 'b')], max_length=1)),
                ('state', models.CharField(choices=[('pending', 'not asked yet'), ('asking', 'being asked'), ('done', 'answered'), ('needs_tool', 'needs a tool result'), ('loop_limit', 'stopped at the limit of responses'), ('failed', 'failed'), ('unknown', 'answer lost')], default='pending', max_length=16)),
                ('status', models.CharField(blank=True, max_length=32)),
                ('error_code', models.CharField(blank=True, max_length=64)),
                ('rounds', models.PositiveSmallIntegerField(default=0, verbose_name='responses asked for')),
                ('asking_tokens', models.PositiveBigIntegerField(default=0, verbose_name='tokens that the response at hand may use')),
                ('tokens_in', models.PositiveBigIntegerField(default=0)),
                ('tokens_out', models.PositiveBigIntegerField(default=0)),
                ('milliseconds', models.PositiveIntegerField(default=0)),
                ('content', models.BinaryField(null=True)),
                ('turn', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='results', to='migration_app.trialturn')),
            ],
            options={
                'ordering': ['turn_id', 'slot'],
            },
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(condition=models.Q(('state__in', ['preparing', 'running', 'cancelling'])), fields=['id'], name='batch_at_work'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['selection_key'], name='batch_by_selection'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.CheckConstraint(condition=models.Q(('window__gte', 1), ('window__lte', 256)), name='batch_window_in_bounds'),
        ),
        migrations.AddIndex(
            model_name='batchminute',
            index=models.Index(fields=['minute'], name='batch_minute'),
        ),
        migrations.AddConstraint(
            model_name='chunk',
            constraint=models.UniqueConstraint(fields=('conversation', 'sequence'), name='chunk_sequence_unique'),
        ),
        migrations.AddConstraint(
            model_name='chunk',
            constraint=models.CheckConstraint(condition=models.Q(('item_count__gte', 1), ('item_count__lte', 20)), name='chunk_size'),
        ),
        migrations.AddConstraint(
            model_name='promptversion',
            constraint=models.UniqueConstraint(fields=('prompt', 'number'), name='promptversion_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='promptversion',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('prompt',), name='promptversion_one_active'),
        ),
        migrations.AddIndex(
            model_name='promptneeds',
            index=models.Index(fields=['model'], name='promptneeds_model'),
        ),
        migrations.AddConstraint(
            model_name='readinesscheck',
            constraint=models.UniqueConstraint(fields=('kind',), name='readinesscheck_unique'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.UniqueConstraint(condition=models.Q(('scheduled', True), ('state__in', ['queued', 'running'])), fields=('scheduled',), name='reconciliation_one_scheduled'),
        ),
        migrations.AddField(
            model_name='reviewcase',
            name='assistant',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='migration_app.assistant'),
        ),
        migrations.AddField(
            model_name='reviewcase',
            name='batch',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='migration_app.batch'),
        ),
        migrations.AddField(
            model_name='reviewcase',
            name='person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='assigned to'),
        ),
        migrations.AddField(
            model_name='reviewreading',
            name='created_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(fields=['status', 'id'], name='thread_status'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('assistant__isnull', False)), fields=['assistant', 'id'], name='thread_assistant'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('batch__isnull', False)), fields=['batch', 'id'], name='thread_batch'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('batch__isnull', False)), fields=['batch', 'status', 'id'], name='thread_batch_status'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('fidelity', ''), _negated=True), fields=['fidelity', 'id'], name='thread_fidelity'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('pending_work', ''), _negated=True), fields=['batch', 'id'], name='thread_pending'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['error_code', 'id'], name='thread_error'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(condition=models.Q(('user_ref', ''), _negated=True), fields=['user_ref'], name='thread_user_ref'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=models.Index(django.db.models.functions.text.Reverse('thread_id'), name='thread_id_reversed'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('user_ref'), name='gin_trgm_ops'), condition=models.Q(('user_ref', ''), _negated=True), name='thread_user_ref_parts'),
        ),
        migrations.AddIndex(
            model_name='thread',
            index=django.contrib.postgres.indexes.GinIndex(fields=['finding_counts'], name='thread_findings'),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.UniqueConstraint(fields=('thread_id',), name='thread_id_unique'),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lease_token__isnull', True), ('lease_until__isnull', True)), models.Q(('lease_token__isnull', False), ('lease_until__isnull', False)), _connector='OR'), name='thread_lease_whole'),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.CheckConstraint(condition=models.Q(('pending_work', ''), ('batch__isnull', False), _connector='OR'), name='thread_pending_work_has_batch'),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['queued', 'backfilling']), _negated=True), ('pending_work', 'backfill'), _connector='OR'), name='thread_queued_is_pending'),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'rolling_back'), _negated=True), ('pending_work', 'rollback'), _connector='OR'), name='thread_rolling_back_is_pending'),
        ),
        migrations.AddIndex(
            model_name='orphanconversation',
            index=models.Index(fields=['state', 'id'], name='orphan_state'),
        ),
        migrations.AddIndex(
            model_name='formerconversation',
            index=models.Index(fields=['conversation_id'], name='former_conversation_id'),
        ),
        migrations.AddIndex(
            model_name='formerconversation',
            index=models.Index(condition=models.Q(('delete_after__isnull', False)), fields=['delete_after'], name='former_to_delete'),
        ),
        migrations.AddIndex(
            model_name='formerconversation',
            index=models.Index(condition=models.Q(('delete_after__isnull', True), ('deleted_at__isnull', True), ('outcome', 'given_up')), fields=['id'], name='former_stays'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(fields=['reconciliation', 'severity', 'id'], name='discrepancy_severity'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(fields=['reconciliation', 'code', 'id'], name='discrepancy_code'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(fields=['state', 'id'], name='conversation_state'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.UniqueConstraint(condition=models.Q(('conversation_id', ''), _negated=True), fields=('conversation_id',), name='conversation_id_unique'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('conversation_id', ''), ('state', 'creating')), models.Q(models.Q(('state', 'creating'), _negated=True), models.Q(('conversation_id', ''), _negated=True)), _connector='OR'), name='conversation_id_unless_creating'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'verified'), _negated=True), ('verified_at__isnull', False), _connector='OR'), name='conversation_verified_has_time'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'verified'), _negated=True), ('mapped_at__isnull', False), _connector='OR'), name='conversation_verified_is_mapped'),
        ),
        migrations.AddIndex(
            model_name='batchresult',
            index=models.Index(fields=['batch', 'result', 'thread'], name='batch_result_threads'),
        ),
        migrations.AddIndex(
            model_name='batchresult',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'error_code', 'thread'], name='batch_result_errors'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['assistant_id', 'id'], name='run_assistant'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['status', 'id'], name='run_status'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['error_code', 'id'], name='run_error'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=django.contrib.postgres.indexes.HashIndex(fields=['run_id'], name='run_by_id'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('thread', 'run_id'), name='run_unique'),
        ),
        migrations.AddConstraint(
            model_name='savedfilter',
            constraint=models.UniqueConstraint(fields=('user', 'list_name', 'name'), name='saved_filter_name_unique'),
        ),
        migrations.AddConstraint(
            model_name='servermessage',
            constraint=models.UniqueConstraint(fields=('thread', 'code', 'item'), name='servermessage_last_of_a_kind'),
        ),
        migrations.AddIndex(
            model_name='sourcedeletion',
            index=models.Index(condition=models.Q(('searched', False)), fields=['id'], name='sourcedeletion_unsearched'),
        ),
        migrations.AddConstraint(
            model_name='sourcedeletion',
            constraint=models.UniqueConstraint(fields=('kind', 'object_id', 'thread_id'), name='sourcedeletion_unique'),
        ),
        migrations.AddConstraint(
            model_name='snapshotpage',
            constraint=models.UniqueConstraint(fields=('thread', 'sequence'), name='snapshotpage_sequence_unique'),
        ),
        migrations.AddConstraint(
            model_name='importpart',
            constraint=models.UniqueConstraint(fields=('source_import', 'sequence'), name='importpart_sequence_unique'),
        ),
        migrations.AddIndex(
            model_name='sourceobject',
            index=models.Index(fields=['kind', 'id'], name='sourceobject_kind'),
        ),
        migrations.AddIndex(
            model_name='sourceobject',
            index=models.Index(fields=['state', 'id'], name='sourceobject_state'),
        ),
        migrations.AddConstraint(
            model_name='sourceobject',
            constraint=models.UniqueConstraint(fields=('kind', 'object_id', 'sha256'), name='sourceobject_version_unique'),
        ),
        migrations.AddConstraint(
            model_name='sourceobject',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'current')), fields=('kind', 'object_id'), name='sourceobject_one_current'),
        ),
        migrations.AddIndex(
            model_name='assistant',
            index=models.Index(fields=['requested_at', 'status'], name='assistant_requested'),
        ),
        migrations.AddIndex(
            model_name='assistant',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['id'], name='assistant_queued'),
        ),
        migrations.AddIndex(
            model_name='assistant',
            index=models.Index(condition=models.Q(('source_check', 'asked')), fields=['id'], name='assistant_check_asked'),
        ),
        migrations.AddConstraint(
            model_name='assistant',
            constraint=models.UniqueConstraint(fields=('assistant_id',), name='assistant_id_unique'),
        ),
        migrations.AddConstraint(
            model_name='assistant',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'registered'), ('source__isnull', False), _connector='OR'), name='assistant_has_snapshot'),
        ),
        migrations.AddConstraint(
            model_name='trialturn',
            constraint=models.UniqueConstraint(fields=('trial', 'position'), name='trialturn_position_unique'),
        ),
        migrations.AddConstraint(
            model_name='trialresult',
            constraint=models.UniqueConstraint(fields=('turn', 'slot'), name='trialresult_slot_unique'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('pending_work', '')), fields=['code', 'entered_at', 'thread'], name='review_code'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('pending_work', ''), ('assistant__isnull', False)), fields=['assistant', 'code', 'entered_at', 'thread'], name='review_assistant'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('pending_work', ''), ('batch__isnull', False)), fields=['batch', 'code', 'entered_at', 'thread'], name='review_batch'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('pending_work', ''), models.Q(('user_ref', ''), _negated=True)), fields=['user_ref', 'code', 'entered_at', 'thread'], name='review_user'),
        ),
        migrations.AddIndex(
            model_name='reviewcase',
            index=models.Index(condition=models.Q(('pending_work', ''), ('person__isnull', False)), fields=['person', 'code', 'entered_at', 'thread'], name='review_person'),
        ),
        migrations.RunSQL(_vacuum(), migrations.RunSQL.noop),
        migrations.RunSQL(GUARD, GUARD_AWAY),
        migrations.RunSQL(_guards(), _guards_away()),
        migrations.RunSQL(counter_triggers(*_THREADS, THREAD_KEYS, THREAD_MEASURES), counter_triggers_drop(*_THREADS)),
        migrations.RunSQL(counter_triggers(*_RUNS, RUN_KEYS, RUN_MEASURES), counter_triggers_drop(*_RUNS)),
        migrations.RunSQL(counter_triggers(*_RESULTS, RESULT_KEYS, RESULT_MEASURES), counter_triggers_drop(*_RESULTS)),
        migrations.RunSQL(KEEP_CASES, KEEP_CASES_AWAY),
    ]
