-- threads --
-- Threads; the oldest three fifths are verified: a filter on them has to come past everything newer.
INSERT INTO migration_app_thread
    (thread_id, user_ref, assistant_id, status, fidelity, message_count, run_count, item_count, chunk_count,
     payload_bytes, finding_counts, error_code, error_text, attempts, batch_id, pending_work, created_at,
     updated_at, snapshot_at, resources)
SELECT 'thread_' || lpad(n::text, 8, '0'), 'user-' || n / 3, first_assistant + n %% (%(threads)s / 500), status,
       CASE WHEN status = 'registered' THEN '' WHEN status = 'blocked' THEN 'blocked'
            WHEN n %% 10 < 6 THEN 'exact' WHEN n %% 10 < 9 THEN 'transformed' ELSE 'lossy' END,
       12, 3, 10 + n %% 200, 1 + n %% 10, 4000,
       CASE WHEN n %% 50000 = 7 THEN '{"object_conflict": 1}' WHEN n %% 100 = 3 THEN '{"image_on_assistant": 2}'
            WHEN n %% 3 = 0 THEN '{"message_empty": 1}' ELSE '{}' END::jsonb,
       CASE WHEN status = 'failed' THEN (ARRAY['timeout', 'server_error', 'bad_request'])[1 + n %% 3]
            WHEN status = 'blocked' THEN 'blocked_by_findings'
            WHEN status = 'needs_review' THEN (ARRAY['source_grown', 'difference', 'plan_changed'])[1 + n %% 3]
            ELSE '' END, '', 0,
       CASE WHEN status NOT IN ('registered', 'snapshotted') THEN first_batch + (n %% 200) * (n %% 2) END,
       CASE WHEN status = 'queued' THEN 'backfill' ELSE '' END,
       now(), now(), CASE WHEN status <> 'registered' THEN now() END, ''
FROM (
    SELECT n, (SELECT min(id) FROM migration_app_assistant) AS first_assistant,
           (SELECT min(id) FROM migration_app_batch) AS first_batch,
           CASE WHEN n <= %(threads)s * 3 / 5 THEN 'verified' WHEN n %% 20 < 9 THEN 'snapshotted'
                WHEN n %% 20 < 13 THEN 'registered' WHEN n %% 20 < 15 THEN 'backfilled'
                WHEN n %% 20 = 15 THEN 'failed' WHEN n %% 20 = 16 THEN 'blocked' WHEN n %% 20 = 17 THEN 'excluded'
                WHEN n %% 20 = 18 THEN 'needs_review' ELSE 'queued' END AS status
    FROM generate_series(1, %(threads)s) AS n
) AS drawn

-- reviews --
-- What the trigger on threads would have written: those in review, oldest first, over the last two weeks.
INSERT INTO migration_app_reviewcase (thread_id, code, pending_work, assistant_id, batch_id, user_ref, entered_at)
SELECT id, error_code, pending_work, assistant_id, batch_id, user_ref,
       now() - (%(threads)s - row_number() OVER (ORDER BY id)) * (interval '14 days' / %(threads)s)
FROM migration_app_thread WHERE status = 'needs_review' ORDER BY id

-- conversations --
-- A conversation a thread.
INSERT INTO migration_app_conversation
    (thread_id, conversation_id, state, item_count, fingerprint, policies, policies_version, replacements,
     create_request_id, intended_at, created_at, completed_at, verified_at, mapped_at)
SELECT id, 'conv_' || lpad(id::text, 8, '0'),
       CASE WHEN status = 'verified' THEN 'verified' WHEN status = 'backfilled' THEN 'complete' ELSE 'open' END,
       item_count, '', '{}', 1, '[]', 'req_' || id, now(), now(), now(), now(), now()
FROM migration_app_thread ORDER BY id

-- results --
-- What the batches made of their threads.
INSERT INTO migration_app_batchresult
    (batch_id, thread_id, result, error_code, retries, messages, started_at, finished_at)
SELECT batch_id, id, CASE WHEN status = 'queued' THEN 'continued' ELSE status END,
       CASE WHEN status IN ('failed', 'blocked', 'needs_review') THEN error_code ELSE '' END, 0, message_count, now(), now()
FROM migration_app_thread WHERE batch_id IS NOT NULL AND pending_work = '' ORDER BY batch_id, id

-- runs --
-- Two runs a thread over two years, a few of them failed, expired, or without numbers.
INSERT INTO migration_app_run
    (thread_id, run_id, assistant_id, status, model, created_at, started_at, ended_at, prompt_tokens,
     completion_tokens, total_tokens, error_code, incomplete_reason, tool_calls)
SELECT id, 'run_' || lpad(n::text, 12, '0'), 'asst_' || id %% (%(threads)s / 500), status,
       (ARRAY['gpt-4o', 'gpt-4o', 'gpt-4o-mini', 'gpt-4.1'])[1 + id %% 4], at, at + interval '1 second',
       at + interval '9 seconds', tokens, tokens / 4, tokens + tokens / 4,
       CASE WHEN status = 'failed' THEN (ARRAY['rate_limit_exceeded', 'server_error'])[1 + n %% 2] ELSE '' END,
       CASE WHEN status = 'incomplete' THEN 'max_completion_tokens' ELSE '' END,
       CASE WHEN n %% 3 = 0 THEN '{"function": 2}' WHEN n %% 7 = 0 THEN '{"file_search": 1}' ELSE '{}' END::jsonb
FROM (
    SELECT id, n, timestamptz '2024-11-01' + n * (interval '730 days' / (2 * %(threads)s)) AS at,
           CASE WHEN n %% 50 = 1 THEN 'failed' WHEN n %% 80 = 3 THEN 'expired' WHEN n %% 90 = 4 THEN 'incomplete'
                ELSE 'completed' END AS status,
           CASE WHEN n %% 80 <> 3 THEN 400 + n %% 3000 END AS tokens
    FROM (SELECT id, row_number() OVER (ORDER BY id, second) AS n
          FROM migration_app_thread, generate_series(0, 1) AS second) AS numbered
) AS drawn
ORDER BY n

-- audit --
-- Four rows of the audit trail a thread.
INSERT INTO migration_app_auditevent
    (at, actor, verb, subject_kind, subject_id, before, after, reason, batch_pk, job_id, request_id)
SELECT timestamptz '2026-11-01' + n * (interval '20 days' / (4 * %(threads)s)), 'worker',
       (ARRAY['thread.registered', 'thread.queued', 'thread.backfilled', 'thread.verified'])[1 + n / %(threads)s],
       'thread', 'thread_' || lpad((1 + n %% %(threads)s)::text, 8, '0'), 'queued', 'verified', '',
       CASE WHEN n >= %(threads)s THEN (SELECT min(id) FROM migration_app_batch) + n %% 200 END, '', ''
FROM generate_series(0, 4 * %(threads)s - 1) AS n

-- objects --
-- A source object to five threads.
INSERT INTO migration_app_sourceobject (kind, object_id, state, payload, sha256, redacted, received_at)
SELECT (ARRAY['file', 'vector_store'])[1 + n %% 2], 'object-' || n,
       CASE WHEN n %% 1000 = 1 THEN 'conflict' ELSE 'current' END, '', '', false, now()
FROM generate_series(1, %(threads)s / 5) AS n
