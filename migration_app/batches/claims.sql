-- claim --
-- Take threads of a batch that may be taken now, oldest first. SKIP LOCKED: workers that claim at once take different
-- rows instead of waiting for each other. MATERIALIZED: a plan that asked twice would take more than it was to.
WITH free AS MATERIALIZED (
    SELECT id FROM migration_app_thread
    WHERE batch_id = %(batch)s AND pending_work <> ''
      AND (lease_until IS NULL OR lease_until < statement_timestamp())
      AND (not_before IS NULL OR not_before <= statement_timestamp())
    ORDER BY id
    LIMIT %(count)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE migration_app_thread AS t SET
    lease_token = %(token)s,
    lease_until = statement_timestamp() + make_interval(secs => %(seconds)s),
    work_started_at = coalesce(t.work_started_at, statement_timestamp())
FROM free WHERE t.id = free.id
RETURNING t.*

-- renew --
-- Prolong leases. By primary key: there is no index on tokens, and a million threads to search.
UPDATE migration_app_thread SET lease_until = statement_timestamp() + make_interval(secs => %s)
WHERE id = ANY(%s) AND lease_token = ANY(%s)
RETURNING id
