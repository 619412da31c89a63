"""What batches made of their threads, how fast they went, and threads that are being rolled back."""

import django.db.models.deletion
from django.db import migrations, models

from migration_app.counters import counter_triggers, counter_triggers_drop

# The counter of results, as ``counters`` declares it; a test compares what is installed with it.
RESULT_KEYS = {"batch_pk": "batch_id", "result": "result", "error_code": "error_code"}
RESULT_MEASURES = {"results": "1", "messages": "messages", "retries": "retries"}
_RESULTS = ("migration_app_batchresult", "migration_app_batchtally")


def _vacuum() -> str:
    """Counters' rows live for seconds, and every page reads them: dead ones must not pile up."""
    return "\n".join(
        f"ALTER TABLE migration_app_{table} SET (autovacuum_vacuum_scale_factor = 0,"
        " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);"
        for table in ("batchtallychange", "batchtally")
    )


class Migration(migrations.Migration):

    dependencies = [
        ('migration_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='BatchMinute',
            fields=[
                ('pk', models.CompositePrimaryKey('batch_id', 'minute', blank=True, editable=False, primary_key=True, serialize=False)),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='minutes', to='migration_app.batch')),
                ('minute', models.DateTimeField()),
                ('seconds', models.FloatField(db_default=0, default=0)),
                ('threads', models.PositiveIntegerField(db_default=0, default=0)),
                ('messages', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('calls', models.PositiveIntegerField(db_default=0, default=0)),
                ('retries', models.PositiveIntegerField(db_default=0, default=0)),
                ('throttled', models.PositiveIntegerField(db_default=0, default=0)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BatchResult',
            fields=[
                ('pk', models.CompositePrimaryKey('batch_id', 'thread_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='migration_app.batch')),
                ('thread', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='migration_app.thread')),
                ('result', models.CharField(choices=[('verified', 'verified'), ('backfilled', 'backfilled'), ('snapshotted', 'snapshotted'), ('unchanged', 'unchanged'), ('checked', 'files checked'), ('accepted', 'accepted as is'), ('rolled_back', 'rolled back'), ('excluded', 'excluded'), ('included', 'included again'), ('failed', 'failed'), ('needs_review', 'needs review'), ('blocked', 'blocked'), ('source_missing', 'source missing'), ('cancelled', 'cancelled'), ('continued', 'continued in a later batch')], db_collation='C', max_length=16)),
                ('error_code', models.CharField(blank=True, db_collation='C', db_default='', default='', max_length=64)),
                ('retries', models.PositiveIntegerField(db_default=0, default=0)),
                ('messages', models.PositiveIntegerField(db_default=0, default=0)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField()),
                ('continued_in', models.BigIntegerField(blank=True, null=True)),
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
        migrations.AddField(
            model_name='batch',
            name='call_count',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='batch',
            name='estimated_calls',
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='batch',
            name='estimated_seconds',
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='batch',
            name='retry_count',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='batch',
            name='throttled_count',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='thread',
            name='retries',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='thread',
            name='work_started_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='thread',
            name='status',
            field=models.CharField(choices=[('registered', 'registered'), ('snapshotted', 'snapshotted'), ('blocked', 'blocked'), ('queued', 'queued'), ('backfilling', 'backfilling'), ('backfilled', 'backfilled'), ('verified', 'verified'), ('needs_review', 'needs review'), ('failed', 'failed'), ('source_missing', 'source missing'), ('excluded', 'excluded'), ('rolling_back', 'rolling back'), ('rolled_back', 'rolled back')], default='registered', max_length=16),
        ),
        migrations.AddConstraint(
            model_name='thread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'rolling_back'), _negated=True), ('pending_work', 'rollback'), _connector='OR'), name='thread_rolling_back_is_pending'),
        ),
        migrations.AddConstraint(
            model_name='batchtally',
            constraint=models.UniqueConstraint(fields=('batch_pk', 'result', 'error_code'), name='batch_tally_unique'),
        ),
        migrations.AddIndex(
            model_name='batchminute',
            index=models.Index(fields=['minute'], name='batch_minute'),
        ),
        migrations.AddIndex(
            model_name='batchresult',
            index=models.Index(fields=['batch', 'result', 'thread'], name='batch_result_threads'),
        ),
        migrations.AddIndex(
            model_name='batchresult',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'error_code', 'thread'], name='batch_result_errors'),
        ),
        migrations.RunSQL(_vacuum(), migrations.RunSQL.noop),
        migrations.RunSQL(counter_triggers(*_RESULTS, RESULT_KEYS, RESULT_MEASURES), counter_triggers_drop(*_RESULTS)),
    ]
