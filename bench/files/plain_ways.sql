-- by_hand --
-- What an operator would write by hand for the same rows, assistants included; nothing is validated.
BEGIN;
CREATE TEMPORARY TABLE ids (thread_id text, user_ref text, assistant_id text);
\copy ids FROM '{path}' WITH (FORMAT csv, HEADER true)
INSERT INTO migration_app_assistant
    (assistant_id, name, model, status, fidelity, requested_by_name, created_at, updated_at)
SELECT DISTINCT assistant_id, '', '', 'registered', '', '', now(), now() FROM ids
ON CONFLICT (assistant_id) DO NOTHING;
{insert};
COMMIT;

-- insert --
-- The threads of a file of ids.
INSERT INTO migration_app_thread
    (thread_id, user_ref, assistant_id, status, fidelity, message_count, run_count, item_count, chunk_count,
     payload_bytes, finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at)
SELECT i.thread_id, i.user_ref, a.id, 'registered', '', 0, 0, 0, 0, 0, '{}', '', '', 0, '', now(), now()
FROM ids AS i JOIN migration_app_assistant AS a ON a.assistant_id = i.assistant_id
ON CONFLICT (thread_id) DO NOTHING

-- with_audit --
-- The same with an audit row each.
WITH fresh AS ({insert} RETURNING thread_id)
INSERT INTO migration_app_auditevent
    (at, actor, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
SELECT now(), 'bench', 'thread.registered', 'thread', thread_id, '', 'registered', 'bench', '', '' FROM fresh
