-- threads --
-- Verified threads.
INSERT INTO migration_app_thread
    (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count, payload_bytes,
     finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at, first_message_at,
     last_message_at, assistant_id)
SELECT 'thread_' || md5(n::text), 'customer-' || n, 'verified', 'exact', 12, 3, 14, 1, 4000, '{}', '', '', 0, '',
       now(), now(), now() - interval '1 day', now(), (SELECT min(id) FROM migration_app_assistant)
FROM generate_series(1, %s) AS n

-- conversations --
-- A conversation a thread.
INSERT INTO migration_app_conversation
    (thread_id, conversation_id, state, item_count, fingerprint, policies, policies_version, replacements,
     create_request_id, intended_at, created_at, completed_at, verified_at, mapped_at)
SELECT id, 'conv_' || md5(id::text), 'verified', 14, md5(id::text) || md5(thread_id), '{}', 1, '[]', '', now(),
       now(), now(), now(), now() FROM migration_app_thread
