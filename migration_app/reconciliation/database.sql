-- statuses --
-- Each thread with its status, its work, and the state of its conversation.
SELECT t.id, t.status, t.pending_work, t.lease_token IS NOT NULL, coalesce(c.state, '')
FROM migration_app_thread AS t LEFT JOIN migration_app_conversation AS c ON c.thread_id = t.id
WHERE t.id = ANY(%s) ORDER BY t.id

-- chunks --
-- What the chunks of each thread's conversation add up to: items, breaks in their row, doubts, missing ids.
WITH conversation AS (
    SELECT c.id, c.thread_id, c.state, c.item_count, c.continued_after, t.status, t.pending_work
    FROM migration_app_conversation AS c JOIN migration_app_thread AS t ON t.id = c.thread_id
    WHERE c.thread_id = ANY(%s)
), chunk AS (
    SELECT k.conversation_id, k.item_count, k.state, cardinality(k.item_ids) AS ids,
           k.sequence <> row_number() OVER chunks - 1
           OR k.first_item <> lag(k.first_item + k.item_count, 1, 0) OVER chunks AS gap
    FROM migration_app_chunk AS k JOIN conversation ON conversation.id = k.conversation_id
    WINDOW chunks AS (PARTITION BY k.conversation_id ORDER BY k.sequence)
)
SELECT c.thread_id, c.status, c.pending_work, c.state, c.item_count, c.continued_after IS NOT NULL,
       coalesce(sum(k.item_count), 0), count(*) FILTER (WHERE k.gap),
       count(*) FILTER (WHERE k.state = 'sending'),
       count(*) FILTER (WHERE k.state = 'appended' AND k.ids <> k.item_count)
FROM conversation AS c LEFT JOIN chunk AS k ON k.conversation_id = c.id
GROUP BY c.id, c.thread_id, c.status, c.pending_work, c.state, c.item_count, c.continued_after
ORDER BY c.thread_id

-- item_ids_twice --
-- Item ids that stand more than once, and in which threads.
SELECT item_id, count(*), array_agg(DISTINCT c.thread_id ORDER BY c.thread_id)
FROM migration_app_conversation AS c JOIN migration_app_chunk AS k ON k.conversation_id = c.id,
     unnest(k.item_ids) AS item_id
WHERE c.thread_id = ANY(%s) AND item_id <> ''
GROUP BY item_id HAVING count(*) > 1 ORDER BY item_id
