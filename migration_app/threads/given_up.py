"""Conversations given up in doubt, until they are deleted; and how long a doubt must wait. Calls no API.

Only those that no thread points to are deleted: they have never been in the mapping.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import FormerConversation

_CLAIM_SECONDS = 900
_LONGEST_PAUSE = 86_400.0

_CLAIM = """
UPDATE migration_app_formerconversation
SET delete_after = statement_timestamp() + make_interval(secs => %s), delete_tries = delete_tries + 1
WHERE id = (
    SELECT id FROM migration_app_formerconversation AS f WHERE delete_after <= statement_timestamp()
      AND NOT EXISTS (SELECT 1 FROM migration_app_conversation AS c WHERE c.conversation_id = f.conversation_id)
    ORDER BY delete_after FOR UPDATE SKIP LOCKED LIMIT 1
)
RETURNING id
"""

_DOUBT_LEFT = """
SELECT %s - extract(epoch FROM statement_timestamp() - sent_at) FROM migration_app_chunk WHERE id = %s
"""


def doubt_seconds_left(chunk_pk: int) -> float:
    """How long a chunk without an answer must still wait, by the database's clock; 0 or less: no longer."""
    with connection.cursor() as cursor:
        cursor.execute(_DOUBT_LEFT, [settings.DOUBT_WAIT_SECONDS, chunk_pk])
        row = cursor.fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def given_up_due() -> bool:
    """Whether one may be deleted now."""
    return FormerConversation.objects.filter(delete_after__lte=Now()).exists()


def given_up_claim() -> FormerConversation | None:
    """Claim the one that is due longest, for a quarter of an hour. None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_CLAIM_SECONDS])
        row = cursor.fetchone()
    return FormerConversation.objects.select_related("thread").get(pk=row[0]) if row else None


def given_up_gone(former: FormerConversation, *, left_behind: str, actor: Actor) -> None:
    """Record the deletion; ``left_behind`` says what this target could not delete."""
    with transaction.atomic():
        FormerConversation.objects.filter(pk=former.pk).update(
            delete_after=None, left_behind=left_behind, deleted_at=None if left_behind else Now()
        )
        audit_record(
            actor=actor,
            verb="conversation.deleted",
            subject_kind="thread",
            subject_id=former.thread.thread_id,
            reason=f"{former.conversation_id}, given up in doubt. "
            f"{left_behind or 'Reading confirmed that it is gone.'}",
        )


def given_up_later(former: FormerConversation, *, code: str) -> None:
    """Try to delete it later: after 1, 2, 4 … minutes, a day at most."""
    seconds = min(60.0 * 2 ** min(former.delete_tries, 20), _LONGEST_PAUSE)
    FormerConversation.objects.filter(pk=former.pk, delete_after__isnull=False).update(
        delete_after=Now() + dt.timedelta(seconds=seconds), left_behind=f"Not deleted yet ({code})."
    )
