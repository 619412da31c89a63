-- put --
-- Write how the work of threads in their batches ended, as their rows now say; by their status where no result is named.
INSERT INTO migration_app_batchresult (batch_id, thread_id, result, error_code, retries, messages, started_at, finished_at)
SELECT t.batch_id, t.id, named.result, CASE WHEN named.result = ANY(%(trouble)s) THEN t.error_code ELSE '' END,
       t.retries, t.message_count, t.work_started_at, now()
FROM migration_app_thread AS t, LATERAL (SELECT coalesce(nullif(%(result)s, ''), t.status) AS result) AS named
WHERE t.id = ANY(%(threads)s) AND t.batch_id IS NOT NULL AND t.batch_id = coalesce(%(batch)s, t.batch_id)
ON CONFLICT (batch_id, thread_id) DO UPDATE
SET result = excluded.result, error_code = excluded.error_code, retries = excluded.retries,
    messages = excluded.messages, started_at = excluded.started_at, finished_at = excluded.finished_at

-- leave --
-- Write that threads leave their batches for a later one, where nothing else is kept of them.
INSERT INTO migration_app_batchresult (batch_id, thread_id, result, retries, messages, started_at, finished_at,
                                       continued_in)
SELECT t.batch_id, t.id, 'continued', t.retries, t.message_count, t.work_started_at, now(), %(batch)s
FROM migration_app_thread AS t
WHERE t.id = ANY(%(threads)s) AND t.batch_id <> %(batch)s
ON CONFLICT (batch_id, thread_id) DO NOTHING
