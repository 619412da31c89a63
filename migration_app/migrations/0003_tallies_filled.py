"""Count the threads that were there before the triggers that count, and keep the counters' tables small."""

from __future__ import annotations

from django.db import migrations

# What the triggers have written since the migration before this one is part of the rows: it is counted anew.
FILL = """
    LOCK TABLE migration_app_thread IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM migration_app_tallychange;
    DELETE FROM migration_app_tally;
    INSERT INTO migration_app_tallychange
        (batch_pk, status, fidelity, error_code, pending_work, has_snapshot,
         threads, messages, items, chunks, reads, payload_bytes)
    SELECT batch_id, status, fidelity, error_code, pending_work, snapshot_at IS NOT NULL,
           count(*), sum(message_count), sum(item_count), sum(chunk_count),
           sum(greatest((item_count + 99) / 100, 1)), sum(payload_bytes)
    FROM migration_app_thread GROUP BY 1, 2, 3, 4, 5, 6;
"""
# Their rows live for seconds, and every page reads them: dead ones must not pile up until a fifth of the table is.
VACUUM = """
    ALTER TABLE migration_app_tallychange SET (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE migration_app_tally SET (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
"""
VACUUM_BACK = """
    ALTER TABLE migration_app_tallychange RESET (
        autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
    ALTER TABLE migration_app_tally RESET (
        autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
"""


class Migration(migrations.Migration):
    """One transaction, as every migration here."""

    dependencies = [("migration_app", "0002_a_million_threads")]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(VACUUM, VACUUM_BACK),
    ]
