"""Who decides about a thread in review: taken, assigned to somebody, released. Each is one conditional UPDATE.

A trigger ends an assignment when work that decides is handed out, or the thread leaves review (``models.review``).
"""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, ReviewCase
from migration_app.review.queue import QueueFilter

PERMISSION = "migration_app.review_thread"
AT_ONCE = 20
"""Threads that a person takes from a group by one click."""


class AssignmentRefusedError(ValueError):
    """Somebody else was quicker, or the thread is not to be decided any more; the text says which."""


def reviewers() -> QuerySet[User]:
    """People who may decide about threads in review, by name."""
    users: QuerySet[User] = get_user_model().objects.with_perm(
        PERMISSION, backend="django.contrib.auth.backends.ModelBackend"
    )
    return users.filter(is_staff=True).order_by("username")


def case_assign(*, thread_pk: int, person: User, seen: int | None, actor: Actor) -> None:
    """Assign a thread; ``seen`` is whom the caller saw it assigned to, by key. Raises AssignmentRefusedError."""
    if not reviewers().filter(pk=person.pk).exists():
        raise AssignmentRefusedError(f"{person.get_username()} may not decide about threads in review.")
    _assign(thread_pk, person, seen, actor)


def case_release(*, thread_pk: int, seen: int | None, actor: Actor) -> None:
    """Have nobody assigned. Raises AssignmentRefusedError if it is no longer assigned to the one who was seen."""
    _assign(thread_pk, None, seen, actor)


def _assign(thread_pk: int, person: User | None, seen: int | None, actor: Actor) -> None:
    with transaction.atomic():
        free = ReviewCase.objects.filter(pk=thread_pk, person=seen, pending_work="")
        if free.update(person=person, assigned_at=Now() if person else None) != 1:
            raise AssignmentRefusedError(_why_not(thread_pk))
        name = ReviewCase.objects.values_list("thread__thread_id", flat=True).get(pk=thread_pk)
        before = get_user_model().objects.filter(pk=seen).first() if seen is not None else None
        _event(name, actor, before, person).save(force_insert=True)


def group_take(chosen: QueueFilter, *, person: User, actor: Actor, count: int = AT_ONCE) -> int:
    """Assign the oldest threads that nobody has, of those that the filter leaves. Returns how many.

    Two people who do so at once get different ones: rows that another one is taking are skipped.
    """
    with transaction.atomic():
        free = chosen.cases().filter(person__isnull=True).select_for_update(skip_locked=True, of=("self",))
        taken = list(free.select_related("thread")[:count])
        ReviewCase.objects.filter(pk__in=[case.pk for case in taken]).update(person=person, assigned_at=Now())
        AuditEvent.objects.bulk_create(_event(case.thread.thread_id, actor, None, person) for case in taken)
    return len(taken)


def _event(thread_id: str, actor: Actor, before: User | None, person: User | None) -> AuditEvent:
    return audit_event(
        actor=actor,
        verb="thread.review_assigned" if person else "thread.review_released",
        subject_kind="thread",
        subject_id=thread_id,
        before=before.get_username()[:64] if before else "",
        after=person.get_username()[:64] if person else "",
    )


def _why_not(thread_pk: int) -> str:
    case = ReviewCase.objects.select_related("person").filter(pk=thread_pk).first()
    if case is None:
        return "The thread has left review: there is nothing to assign."
    if case.pending_work:
        return "Somebody has decided about the thread already; its work is under way."
    if case.person is None:
        return "Nobody is assigned any more: somebody has released the thread meanwhile."
    return f"{case.person.get_username()} has the thread since {case.assigned_at:%Y-%m-%d %H:%M} UTC."
