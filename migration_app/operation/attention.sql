-- oldest --
-- When the oldest thread of each group got there. Of a large group only the first rows by age of registration are read.
SELECT wanted.status, wanted.error_code, (
    SELECT min(updated_at)
    FROM (
        SELECT status, updated_at
        FROM migration_app_thread
        WHERE error_code = wanted.error_code AND error_code <> ''
        ORDER BY id
        LIMIT %(most)s
    ) AS first_rows
    WHERE first_rows.status = wanted.status
)
FROM unnest(%(statuses)s::text[], %(codes)s::text[]) AS wanted (status, error_code)
