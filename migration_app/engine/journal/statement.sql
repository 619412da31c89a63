-- held --
-- Write entries, one JSON document each. ``held`` locks the threads whose lease and status are what the worker believes;
-- everything else joins it, so that an entry without its lease changes nothing. All parts of the statement see the rows
-- as they were before it: the orphan takes the intent's old time although the intent gets a new one.
WITH entry AS MATERIALIZED (
    SELECT (doc->>'thread')::bigint AS pk, (doc->>'token')::uuid AS token, doc->>'seen' AS seen, doc
    FROM jsonb_array_elements(%(documents)s::jsonb) AS doc
),
held AS MATERIALIZED (
    SELECT t.id AS pk, t.thread_id AS name, t.batch_id, t.error_code, t.retries, t.message_count, t.work_started_at,
           entry.doc,
           coalesce(t.snapshot_sequence > (doc->>'snapshot_seen')::integer, false) AS grown
    FROM entry JOIN migration_app_thread AS t ON t.id = entry.pk
    WHERE t.lease_token = entry.token AND t.status = entry.seen
    ORDER BY t.id FOR NO KEY UPDATE OF t
)

-- orphaned --
-- Put a create whose answer was lost into the ledger of orphans.
INSERT INTO migration_app_orphanconversation (thread_id, intended_at, noticed_at, reason, metadata_keys, request_id)
SELECT pk, c.intended_at, now(), doc->'orphan'->>'reason',
       ARRAY(SELECT jsonb_array_elements_text(doc->'orphan'->'metadata_keys')), ''
FROM held JOIN migration_app_conversation AS c ON c.thread_id = pk
WHERE doc ? 'orphan'

-- intended --
-- Announce a create.
INSERT INTO migration_app_conversation (thread_id, conversation_id, state, item_count, fingerprint, policies,
                                        policies_version, replacements, create_request_id, intended_at)
SELECT pk, '', 'creating', 0, '', doc->'intent'->'policies', (doc->'intent'->>'policies_version')::smallint,
       doc->'intent'->'replacements', '', now()
FROM held
WHERE doc ? 'intent'
ON CONFLICT (thread_id) DO UPDATE
SET intended_at = excluded.intended_at, policies = excluded.policies, policies_version = excluded.policies_version,
    replacements = excluded.replacements
WHERE migration_app_conversation.state = 'creating'

-- abandoned --
-- Take back the announcement of a create that did nothing.
DELETE FROM migration_app_conversation AS c USING held
WHERE c.thread_id = pk AND doc ? 'abandon' AND c.state = 'creating'

-- conversed --
-- Change columns of the conversation's row. ``created``, ``completed`` and ``verified`` mean the time now.
UPDATE migration_app_conversation AS c SET
    conversation_id = coalesce(s->>'conversation_id', c.conversation_id),
    create_request_id = coalesce(s->>'create_request_id', c.create_request_id),
    state = coalesce(s->>'state', c.state),
    replacements = coalesce(s->'replacements', c.replacements),
    item_count = coalesce((s->>'item_count')::integer, c.item_count),
    fingerprint = coalesce(s->>'fingerprint', c.fingerprint),
    not_shown = coalesce(s->>'not_shown', c.not_shown),
    continued_after = coalesce((s->>'continued_after')::integer, c.continued_after),
    created_at = CASE WHEN s ? 'created' THEN now() ELSE c.created_at END,
    completed_at = CASE WHEN s ? 'completed' THEN now() ELSE c.completed_at END,
    verified_at = CASE WHEN s ? 'verified' THEN CASE WHEN (s->>'verified')::boolean THEN now() END
                  ELSE c.verified_at END,
    mapped_at = CASE WHEN (s->>'verified')::boolean THEN coalesce(c.mapped_at, now()) ELSE c.mapped_at END
FROM held, LATERAL (SELECT doc->'conversation' AS s) AS change
WHERE c.thread_id = pk AND doc ? 'conversation'

-- withdrawn --
-- Take back the announcement of a chunk that was refused.
DELETE FROM migration_app_chunk AS k USING held, migration_app_conversation AS c
WHERE c.thread_id = pk AND doc ? 'withdrawn' AND k.conversation_id = c.id
  AND k.sequence = (doc->>'withdrawn')::integer AND k.state = 'sending'

-- appended --
-- Record an append: the target's ids of its items.
UPDATE migration_app_chunk AS k SET
    state = 'appended', appended_at = now(), request_id = doc->'appended'->>'request_id',
    item_ids = ARRAY(SELECT jsonb_array_elements_text(doc->'appended'->'item_ids'))
FROM held JOIN migration_app_conversation AS c ON c.thread_id = pk
WHERE doc ? 'appended' AND k.conversation_id = c.id AND k.sequence = (doc->'appended'->>'sequence')::integer

-- sending --
-- Announce a chunk.
INSERT INTO migration_app_chunk AS k (conversation_id, sequence, first_item, item_count, digest, source_ids,
                                      item_ids, state, request_id, sent_at)
SELECT c.id, (s->>'sequence')::integer, (s->>'first_item')::integer, (s->>'item_count')::smallint, s->>'digest',
       ARRAY(SELECT jsonb_array_elements_text(s->'source_ids')), '{}', 'sending', '', now()
FROM held JOIN migration_app_conversation AS c ON c.thread_id = pk, LATERAL (SELECT doc->'sending' AS s) AS chunk
WHERE doc ? 'sending'
ON CONFLICT (conversation_id, sequence) DO UPDATE
-- A chunk that is there is never announced again: NULL is refused, and with it the whole entry.
SET first_item = CASE WHEN k.state = 'sending' THEN excluded.first_item END, item_count = excluded.item_count,
    digest = excluded.digest, source_ids = excluded.source_ids, sent_at = excluded.sent_at

-- deleting --
-- Announce deletes: the items of a chunk that are still to be deleted.
UPDATE migration_app_chunk AS k SET
    state = 'deleting', item_ids = ARRAY(SELECT jsonb_array_elements_text(doc->'deleting'->'item_ids'))
FROM held JOIN migration_app_conversation AS c ON c.thread_id = pk
WHERE doc ? 'deleting' AND k.conversation_id = c.id AND k.sequence = (doc->'deleting'->>'sequence')::integer

-- deleted --
-- Record that a chunk's items are deleted.
DELETE FROM migration_app_chunk AS k USING held, migration_app_conversation AS c
WHERE c.thread_id = pk AND doc ? 'deleted' AND k.conversation_id = c.id
  AND k.sequence = (doc->>'deleted')::integer AND k.state = 'deleting'

-- remembered --
-- Keep what a thread's conversation was when it is detached from it.
INSERT INTO migration_app_formerconversation (thread_id, conversation_id, outcome, item_count, left_behind, reason,
                                              actor, created_at, detached_at, item_ids, delete_after)
SELECT pk, c.conversation_id, p->>'outcome', (p->>'item_count')::integer, p->>'left_behind', p->>'reason', %(actor)s::text,
       c.created_at, now(),
       CASE WHEN p ? 'delete_in' THEN
           ARRAY(SELECT unnest(k.item_ids) FROM migration_app_chunk AS k WHERE k.conversation_id = c.id)
       ELSE '{}' END,
       now() + make_interval(secs => (p->>'delete_in')::double precision)
FROM held JOIN migration_app_conversation AS c ON c.thread_id = pk, LATERAL (SELECT doc->'detached' AS p) AS detached_part
WHERE doc ? 'detached'

-- emptied --
-- Forget the chunks of a conversation that is detached.
DELETE FROM migration_app_chunk AS k USING held, migration_app_conversation AS c
WHERE c.thread_id = pk AND doc ? 'detached' AND k.conversation_id = c.id

-- detached --
-- Forget a conversation that is detached.
DELETE FROM migration_app_conversation AS c USING held WHERE c.thread_id = pk AND doc ? 'detached'

-- changed --
-- Change columns of the thread's row; ``release`` gives the lease back.
UPDATE migration_app_thread AS t SET
    status = coalesce(s->>'status', t.status),
    pending_work = coalesce(s->>'pending_work', t.pending_work),
    error_code = coalesce(s->>'error_code', t.error_code),
    error_text = coalesce(s->>'error_text', t.error_text),
    attempts = coalesce((s->>'attempts')::smallint, t.attempts),
    retries = coalesce((s->>'retries')::integer, t.retries),
    restarts = coalesce((s->>'restarts')::smallint, t.restarts),
    fidelity = coalesce(s->>'fidelity', t.fidelity),
    item_count = coalesce((s->>'item_count')::integer, t.item_count),
    chunk_count = coalesce((s->>'chunk_count')::integer, t.chunk_count),
    payload_bytes = coalesce((s->>'payload_bytes')::bigint, t.payload_bytes),
    plan_digest = coalesce(s->>'plan_digest', t.plan_digest),
    finding_counts = coalesce(s->'finding_counts', t.finding_counts),
    lease_token = CASE WHEN s ? 'release' THEN NULL ELSE t.lease_token END,
    lease_until = CASE WHEN s ? 'release' THEN NULL ELSE t.lease_until END,
    not_before = CASE WHEN s ? 'due_in' THEN now() + make_interval(secs => (s->>'due_in')::double precision)
                 WHEN s ? 'release' THEN NULL ELSE t.not_before END,
    updated_at = now()
FROM held, LATERAL (SELECT doc->'set' AS s) AS change
WHERE t.id = pk AND doc ? 'set'

-- ended --
-- Keep the thread's result in its batch.
INSERT INTO migration_app_batchresult AS r (batch_id, thread_id, result, error_code, retries, messages, started_at,
                                            finished_at)
SELECT batch_id, pk, doc->>'result',
       CASE WHEN doc->>'result' = ANY(%(trouble)s::text[]) THEN coalesce(doc->'set'->>'error_code', error_code) ELSE '' END,
       coalesce((doc->'set'->>'retries')::integer, retries), message_count, work_started_at, now()
FROM held
WHERE doc ? 'result' AND batch_id IS NOT NULL
ON CONFLICT (batch_id, thread_id) DO UPDATE
SET result = excluded.result, error_code = excluded.error_code, retries = excluded.retries,
    messages = excluded.messages, started_at = excluded.started_at, finished_at = excluded.finished_at

-- quoted --
-- Keep a server's messages with the thread.
INSERT INTO migration_app_servermessage AS w (thread_id, code, item, status, request_id, text, said_at)
SELECT pk, q->>'code', (q->>'item')::integer, (q->>'status')::smallint, q->>'request_id', q->>'text', now()
FROM held, LATERAL jsonb_array_elements(doc->'quoted') AS quote(q)
WHERE doc ? 'quoted'
ON CONFLICT (thread_id, code, item) DO UPDATE
SET status = excluded.status, request_id = excluded.request_id, text = excluded.text, said_at = excluded.said_at

-- read --
-- Keep what was read of a conversation for the person who decides.
INSERT INTO migration_app_reviewreading (thread_id, state, claim_token, error_text, created_by_id, created_by_name,
                                         created_at, finished_at, conversation_id, found, first_item, kept_count,
                                         item_count, payload, read_at)
SELECT pk, 'finished', NULL, '', NULL, %(actor)s::text, now(), now(), r->>'conversation_id', (r->>'found')::boolean,
       (r->>'first_item')::integer, (r->>'kept_count')::integer, (r->>'item_count')::integer,
       decode(r->>'payload', 'base64'), now()
FROM held, LATERAL (SELECT doc->'reading' AS r) AS reading
WHERE doc ? 'reading'
-- One that was asked for and is under way loses its row to this one.
ON CONFLICT (thread_id) DO UPDATE
SET state = excluded.state, claim_token = NULL, error_text = '', created_by_id = NULL,
    created_by_name = excluded.created_by_name, created_at = excluded.created_at, finished_at = excluded.finished_at,
    conversation_id = excluded.conversation_id, found = excluded.found, first_item = excluded.first_item,
    kept_count = excluded.kept_count, item_count = excluded.item_count, payload = excluded.payload,
    read_at = excluded.read_at

-- told --
-- Write the audit trail.
INSERT INTO migration_app_auditevent (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after,
                                      reason, batch_pk, job_id, request_id)
SELECT now(), %(actor)s::text, %(user_id)s::bigint, e->>'verb', 'thread', name, e->>'before', e->>'after', e->>'reason', batch_id, %(job_id)s::text,
       e->>'request_id'
FROM held, LATERAL jsonb_array_elements(doc->'events') WITH ORDINALITY AS event(e, place)
ORDER BY pk, place

-- answer --
-- Return the threads that were still held, and whether each has grown since.
SELECT pk, grown FROM held
