-- beat --
-- Add what one worker did since its last heartbeat to the batch and to its minute.
WITH beaten AS (
    UPDATE migration_app_batch SET
        heartbeat_at = now(), call_count = call_count + %(calls)s, retry_count = retry_count + %(retries)s,
        throttled_count = throttled_count + %(throttled)s
    WHERE id = %(batch)s
)
INSERT INTO migration_app_batchminute AS m (batch_id, minute, seconds, threads, messages, calls, retries, throttled)
VALUES (%(batch)s, date_trunc('minute', now()), %(seconds)s, %(threads)s, %(messages)s, %(calls)s, %(retries)s,
        %(throttled)s)
ON CONFLICT (batch_id, minute) DO UPDATE SET
    seconds = m.seconds + excluded.seconds, threads = m.threads + excluded.threads,
    messages = m.messages + excluded.messages, calls = m.calls + excluded.calls,
    retries = m.retries + excluded.retries, throttled = m.throttled + excluded.throttled

-- rate --
-- What was done since a moment, and in how many seconds of work: several workers at once do not make a minute longer.
SELECT coalesce(sum(least(seconds, 60)), 0), coalesce(sum(threads), 0)::bigint, coalesce(sum(messages), 0)::bigint,
       coalesce(sum(calls), 0)::bigint, coalesce(sum(retries), 0)::bigint, coalesce(sum(throttled), 0)::bigint
FROM (
    SELECT minute, sum(seconds) AS seconds, sum(threads) AS threads, sum(messages) AS messages, sum(calls) AS calls,
           sum(retries) AS retries, sum(throttled) AS throttled
    FROM migration_app_batchminute
    WHERE minute >= date_trunc('minute', now()) - make_interval(secs => %(seconds)s) AND (%(batches)s::bigint[] IS NULL OR batch_id = ANY(%(batches)s))
    GROUP BY minute
) AS minutes
