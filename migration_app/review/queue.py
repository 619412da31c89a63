"""The queue: threads in review by reason, narrowed by filters, oldest first; which one comes before and after another.

Counts come from the counters where these know them, else from an index and bounded; ages from an index. Never scans
threads.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from migration_app.counters import TallyLine, tally_lines
from migration_app.models import ReviewCase, Thread
from migration_app.review.reasons import SECTIONS, Reason, reason_of
from migration_app.threads.selections import selection_of_filters, selection_of_pks

COUNTED_UP_TO = 10_000
MOST_ASSIGNED = 2_000
"""Threads of one decision about a group that is narrowed by a person: that is no filter of a batch."""

NOBODY = "nobody"


@dataclasses.dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the queue is narrowed by; empty or None: by nothing. ``who``: NOBODY, or a user's primary key as text."""

    code: str | None = None
    assistant: int | None = None
    batch: int | None = None
    user: str = ""
    who: str = ""

    @property
    def is_counted(self) -> bool:
        """Whether the counters know how many threads these are."""
        return self.assistant is None and not self.user and not self.who

    def cases(self) -> QuerySet[ReviewCase]:
        """What waits for a decision, oldest first."""
        condition = Q(pending_work="")
        if self.assistant is not None:
            condition &= Q(assistant=self.assistant)
        if self.batch is not None:
            condition &= Q(batch=self.batch)
        if self.user:
            condition &= Q(user_ref=self.user)
        if self.who:
            condition &= Q(person__isnull=True) if self.who == NOBODY else Q(person=int(self.who))
        if self.code is not None:
            condition &= Q(code=self.code)
        return ReviewCase.objects.filter(condition).order_by("code", "entered_at", "thread_id")


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Threads that need review for one reason.

    ``count`` waits for a decision (``is_more``: and more, that were not counted), ``in_work`` is in a worker's hands or
    about to be (None: not known under these filters). ``oldest``: since when the oldest waits.
    """

    reason: Reason
    count: int
    is_more: bool
    in_work: int | None
    oldest: dt.datetime | None

    @property
    def count_text(self) -> str:
        """The count for people."""
        return f"more than {self.count:,}" if self.is_more else f"{self.count:,}"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a thread is in its group: the ones beside it, its number from 1, and how many there are."""

    previous: int | None
    following: int | None
    number: int | None
    total: str


def queue_groups(chosen: QueueFilter) -> list[Group]:
    """Groups with anything in them, by section, the largest first."""
    lines = _lines(chosen)
    codes = sorted({line.error_code for line in lines})
    if chosen.code is not None:
        codes = [code for code in codes if code == chosen.code]
    found = _counted(chosen, codes)
    groups = []
    for code in codes:
        number, oldest = found[code]
        in_work = None
        if chosen.is_counted:
            number = _sum(line for line in lines if line.error_code == code and not line.pending_work)
            in_work = _sum(line for line in lines if line.error_code == code and line.pending_work)
        if number or in_work:
            is_more = not chosen.is_counted and number > COUNTED_UP_TO
            groups.append(
                Group(
                    reason_of(code),
                    min(number, COUNTED_UP_TO) if is_more else number,
                    is_more,
                    in_work,
                    oldest,
                )
            )
    order = list(SECTIONS)
    return sorted(
        groups, key=lambda group: (order.index(group.reason.section), -group.count, group.reason.code)
    )


def _lines(chosen: QueueFilter) -> Sequence[TallyLine]:
    return tally_lines(Q(status=Thread.Status.NEEDS_REVIEW), batch_pk=chosen.batch)


def _sum(lines: Any) -> int:
    return sum(line.threads for line in lines)


def _counted(chosen: QueueFilter, codes: Sequence[str]) -> dict[str, tuple[int, dt.datetime | None]]:
    """For each code how many wait, up to one above the bound, and since when the oldest does: one statement.

    Where the counters count, only the oldest.
    """
    parts, params = [], []
    for code in codes:
        cases = dataclasses.replace(chosen, code=code).cases()
        oldest, oldest_params = cases.values("entered_at")[:1].query.sql_with_params()
        counted = "0"
        counted_params: tuple[Any, ...] = ()
        if not chosen.is_counted:
            inner, counted_params = cases.values("pk")[: COUNTED_UP_TO + 1].query.sql_with_params()
            counted = f"(SELECT count(*) FROM ({inner}) AS c)"  # noqa: S608 - our own ORM query, values bound
        parts.append(f"SELECT %s, {counted}, ({oldest})")
        params += [code, *counted_params, *oldest_params]
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        return {code: (count, oldest) for code, count, oldest in cursor.fetchall()}


def case_place(case: ReviewCase, chosen: QueueFilter) -> Place:
    """Where a thread is among those of its group that the filter leaves."""
    cases = chosen.cases()
    after = cases.filter(entered_at__gte=case.entered_at).exclude(_up_to(case))
    before = cases.filter(entered_at__lte=case.entered_at).filter(_up_to(case)).exclude(pk=case.pk)
    following = after.values_list("pk", flat=True).first()
    previous = before.reverse().values_list("pk", flat=True).first()
    number = before.values("pk")[: COUNTED_UP_TO + 1].count() + 1
    is_in = cases.filter(pk=case.pk).exists()
    total = cases.values("pk")[: COUNTED_UP_TO + 1].count()
    return Place(
        previous=previous,
        following=following,
        number=number if is_in and number <= COUNTED_UP_TO else None,
        total=f"{total:,}" if total <= COUNTED_UP_TO else f"more than {COUNTED_UP_TO:,}",
    )


def case_after(case: ReviewCase, chosen: QueueFilter) -> int | None:
    """The thread that comes after one that is being decided; from the last one back to the first that was skipped."""
    cases = chosen.cases().exclude(pk=case.pk)
    after = cases.filter(entered_at__gte=case.entered_at).exclude(_up_to(case))
    return after.values_list("pk", flat=True).first() or cases.values_list("pk", flat=True).first()


def _up_to(case: ReviewCase) -> Q:
    return Q(entered_at__lt=case.entered_at) | Q(entered_at=case.entered_at, thread_id__lte=case.pk)


def queue_selection(chosen: QueueFilter) -> tuple[dict[str, Any], bool]:
    """The selection of a batch over all that the filter leaves, and whether it holds only the oldest of them.

    A batch can't be narrowed by a person, whose threads are few: these go by their ids, MOST_ASSIGNED at most.
    """
    if chosen.who:
        pks = list(chosen.cases().values_list("pk", flat=True)[: MOST_ASSIGNED + 1])
        return selection_of_pks(pks[:MOST_ASSIGNED]), len(pks) > MOST_ASSIGNED
    filters: Mapping[str, str] = {
        "status__exact": str(Thread.Status.NEEDS_REVIEW),
        **({"error_code__exact": chosen.code} if chosen.code is not None else {}),
        **({"assistant__id__exact": str(chosen.assistant)} if chosen.assistant is not None else {}),
        **({"batch__id__exact": str(chosen.batch)} if chosen.batch is not None else {}),
        **({"user_ref__exact": chosen.user} if chosen.user else {}),
    }
    return selection_of_filters(filters), False
