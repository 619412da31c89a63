-- changes --
-- One audit row for each subject, in their order.
INSERT INTO migration_app_auditevent
    (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, batch_pk, job_id, request_id)
SELECT %(at)s, %(actor)s, %(actor_user_id)s, %(verb)s, %(subject_kind)s, changed.id, changed.before, %(after)s,
       %(reason)s, %(batch_pk)s, %(job_id)s, ''
FROM unnest(%(ids)s::text[], %(before)s::text[]) WITH ORDINALITY AS changed (id, before, place)
ORDER BY changed.place
