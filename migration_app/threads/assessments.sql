-- store --
-- Write the fields of many threads' assessments, a JSON object a thread.
UPDATE migration_app_thread AS t SET
    fidelity = r.fidelity, message_count = r.message_count, run_count = r.run_count,
    item_count = r.item_count, chunk_count = r.chunk_count, payload_bytes = r.payload_bytes,
    finding_counts = r.finding_counts, first_message_at = r.first_message_at,
    last_message_at = r.last_message_at, source_created_at = r.source_created_at,
    snapshot_at = r.snapshot_at, snapshot_sequence = r.snapshot_sequence, plan_digest = r.plan_digest,
    resources = r.resources, user_ref = r.user_ref, assistant_id = r.assistant_id,
    error_code = r.error_code, error_text = r.error_text, attempts = r.attempts, updated_at = now()
FROM jsonb_to_recordset(%s::jsonb) AS r(
    pk bigint, fidelity text, message_count integer, run_count integer, item_count integer,
    chunk_count integer, payload_bytes bigint, finding_counts jsonb, first_message_at timestamptz,
    last_message_at timestamptz, source_created_at timestamptz, snapshot_at timestamptz,
    snapshot_sequence integer, plan_digest text, resources text,
    user_ref text, assistant_id bigint, error_code text, error_text text, attempts smallint)
WHERE t.id = r.pk
