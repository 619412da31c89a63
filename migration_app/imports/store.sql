-- register --
-- Register threads, with an audit row each: of two imports at once only the one that made a row may say that it did.
WITH fresh AS (
  INSERT INTO migration_app_thread
      (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count,
       payload_bytes, finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at)
  SELECT r.thread_id, r.user_ref, %(registered)s, '', 0, 0, 0, 0, 0, '{}'::jsonb, '', '', 0, '', now(), now()
  FROM unnest(%(ids)s::text[], %(user_refs)s::text[]) AS r(thread_id, user_ref)
  ON CONFLICT (thread_id) DO NOTHING RETURNING thread_id
)
INSERT INTO migration_app_auditevent
    (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
SELECT now(), %(actor)s, %(user_id)s, 'thread.registered', 'thread', thread_id, '', %(registered)s, %(reason)s,
       %(job_id)s, '' FROM fresh
