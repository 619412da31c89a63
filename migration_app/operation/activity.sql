-- newest --
-- The newest rows of each of these actions, a few of each: one walk of the index by action and time.
SELECT newest.id
FROM unnest(%(verbs)s::text[]) AS wanted (verb)
CROSS JOIN LATERAL (
    SELECT id, at
    FROM migration_app_auditevent
    WHERE verb = wanted.verb
    ORDER BY at DESC, id DESC
    LIMIT %(most)s
) AS newest
ORDER BY newest.at DESC, newest.id DESC
LIMIT %(most)s
