-- write --
-- Write rows of runs, a JSON object each; the latest state of a run replaces the one that stands, if it differs.
INSERT INTO migration_app_run AS r
    (thread_id, run_id, assistant_id, status, model, error_code, incomplete_reason, created_at, started_at, ended_at,
     prompt_tokens, completion_tokens, total_tokens, tool_calls)
SELECT thread_id, run_id, assistant_id, status, model, error_code, incomplete_reason, created_at, started_at, ended_at,
       prompt_tokens, completion_tokens, total_tokens, tool_calls
FROM jsonb_to_recordset(%s::jsonb) AS n(
    thread_id bigint, run_id text, assistant_id text, status text, model text, error_code text, incomplete_reason text,
    created_at timestamptz, started_at timestamptz, ended_at timestamptz,
    prompt_tokens integer, completion_tokens integer, total_tokens integer, tool_calls jsonb)
ON CONFLICT (thread_id, run_id) DO UPDATE SET
    assistant_id = excluded.assistant_id, status = excluded.status, model = excluded.model,
    error_code = excluded.error_code, incomplete_reason = excluded.incomplete_reason,
    created_at = excluded.created_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
    prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
    total_tokens = excluded.total_tokens, tool_calls = excluded.tool_calls
WHERE (r.assistant_id, r.status, r.model, r.error_code, r.incomplete_reason, r.created_at, r.started_at, r.ended_at,
       r.prompt_tokens, r.completion_tokens, r.total_tokens, r.tool_calls)
    IS DISTINCT FROM
      (excluded.assistant_id, excluded.status, excluded.model, excluded.error_code, excluded.incomplete_reason,
       excluded.created_at, excluded.started_at, excluded.ended_at,
       excluded.prompt_tokens, excluded.completion_tokens, excluded.total_tokens, excluded.tool_calls)
