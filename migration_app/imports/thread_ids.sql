-- create --
-- Make the table that a file's lines are copied to.
CREATE TEMPORARY TABLE imported_ids (
    position bigint GENERATED ALWAYS AS IDENTITY (CACHE 10000),
    thread_id text COLLATE "C" NOT NULL,
    user_ref text COLLATE "C" NOT NULL DEFAULT '',
    assistant_id text COLLATE "C" NOT NULL DEFAULT ''
)

-- assistants --
-- Register the assistants that are not known yet, with an audit row each.
WITH fresh AS (
    INSERT INTO migration_app_assistant
        (assistant_id, name, model, status, fidelity, requested_by_name, created_at, updated_at)
    SELECT DISTINCT assistant_id, '', '', %(assistant_registered)s, '', '', now(), now()
    FROM imported_ids WHERE assistant_id <> '' ORDER BY assistant_id
    ON CONFLICT (assistant_id) DO NOTHING RETURNING assistant_id
)
INSERT INTO migration_app_auditevent
    (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
SELECT now(), %(actor)s, %(user_id)s, 'assistant.registered', 'assistant', assistant_id, '',
       %(assistant_registered)s, %(reason)s, %(job_id)s, '' FROM fresh

-- known --
-- Find the threads that are known. Inserting the rest without ON CONFLICT takes two thirds of the time (measured): with
-- it each row is first written as a mere attempt.
CREATE TEMPORARY TABLE known_ids ON COMMIT DROP AS
SELECT thread_id FROM imported_ids AS i
WHERE EXISTS (SELECT FROM migration_app_thread AS t WHERE t.thread_id = i.thread_id)
GROUP BY thread_id

-- insert --
-- Register the other threads, with an audit row each. Sorted, so that two imports at once take the same ids in the same
-- order, and because it fills the indexes faster. Of an id that is there twice the first line counts.
WITH fresh AS (
    INSERT INTO migration_app_thread
        (thread_id, user_ref, assistant_id, status, fidelity, message_count, run_count, item_count,
         chunk_count, payload_bytes, finding_counts, error_code, error_text, attempts, pending_work,
         created_at, updated_at)
    SELECT DISTINCT ON (i.thread_id) i.thread_id, left(i.user_ref, 512), a.id, %(registered)s, '', 0, 0, 0, 0, 0,
           '{{}}'::jsonb, '', '', 0, '', now(), now()
    FROM imported_ids AS i LEFT JOIN migration_app_assistant AS a ON a.assistant_id = i.assistant_id
    {unknown}
    ORDER BY i.thread_id, i.position
    {conflict} RETURNING thread_id
)
INSERT INTO migration_app_auditevent
    (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
SELECT now(), %(actor)s, %(user_id)s, 'thread.registered', 'thread', thread_id, '', %(registered)s,
       %(reason)s, %(job_id)s, '' FROM fresh

-- fill --
-- Fill in what threads lack, from the first line that has it.
UPDATE migration_app_thread AS t
SET user_ref = CASE WHEN t.user_ref = '' THEN m.user_ref ELSE t.user_ref END,
    assistant_id = coalesce(t.assistant_id, a.id),
    updated_at = now()
FROM (
    SELECT i.thread_id,
           left(coalesce((array_agg(i.user_ref ORDER BY i.position) FILTER (WHERE i.user_ref <> ''))[1], ''), 512)
               AS user_ref,
           (array_agg(i.assistant_id ORDER BY i.position) FILTER (WHERE i.assistant_id <> ''))[1] AS assistant_id
    FROM imported_ids AS i {which} GROUP BY i.thread_id {having}
) AS m LEFT JOIN migration_app_assistant AS a ON a.assistant_id = m.assistant_id
WHERE t.thread_id = m.thread_id
  AND ((t.user_ref = '' AND m.user_ref <> '') OR (t.assistant_id IS NULL AND a.id IS NOT NULL))
