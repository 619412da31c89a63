-- run_totals --
-- What runs of an assistant, month and model add up to, by the counters: {rows} selects totals and changes.
SELECT assistant_id, month, model, sum(runs)::bigint,
       coalesce(sum(runs) FILTER (WHERE status = 'completed'), 0)::bigint, sum(runs_with_usage)::bigint,
       sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint, sum(total_tokens)::bigint
FROM ({rows}) AS counted GROUP BY assistant_id, month, model HAVING sum(runs) <> 0
ORDER BY month DESC, assistant_id, model LIMIT %s OFFSET %s
