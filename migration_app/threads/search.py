"""Finding threads by what a person has in hand: an id, a part of one, or a part of the user's reference.

Every lookup goes along one index and is bounded, also with millions of threads.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Reverse, Upper

from migration_app import index_walks
from migration_app.index_walks import estimated, keys
from migration_app.models import Conversation, FormerConversation, Thread

FOUND_UP_TO = 500
"""Threads that a search for a part finds at most."""

SHORTEST_PART = 4
"""Characters; a shorter part would match too much to be of use."""

THREAD_IDS, CONVERSATION_IDS = "thread_", "conv_"
"""What ids begin with; people leave it out."""

SEARCHED = "Start or end of an id, or part of a user reference; 4+ characters"
"""What is searched, for the lists' search boxes. The middle of an id is not."""

_CUT = re.compile(r"\s*(?:…|\.\.\.|\*)\s*")
_TOO_MANY = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """Threads whose ids or user contain the text, newest first. ``more``: there are others."""

    pks: list[int]
    more: bool = False


def search_text(text: str) -> str:
    """What is searched: the text without blanks around it, and without the sign that no column can hold."""
    return text.strip().replace("\x00", "")


def threads_exactly(text: str) -> Q:
    """Threads with this thread id, conversation id (also a former one) or user reference: one index lookup each.

    Conversations are looked up by queries of their own: an OR across joins would read all the tables.
    """
    pks: set[int] = set()
    for rows in _conversations():
        pks.update(rows.filter(conversation_id=text).values_list("thread_id", flat=True))
    return Q(thread_id=text) | Q(user_ref=text) | Q(pk__in=pks)


def threads_by_part(text: str) -> Parts:
    """Threads by the beginning or end of an id, by ``beginning…end``, or by a part of the user's reference.

    A beginning may be without its ``thread_`` or ``conv_``.
    """
    if len(text) < SHORTEST_PART:
        return Parts([])
    head, *rest = _CUT.split(text, maxsplit=1)
    found: set[int] = set()
    more = False
    for parts in _by_both_ends(head, rest[0]) if rest else _by_one_part(text):
        found.update(parts.pks)
        more = more or parts.more
    newest = sorted(found, reverse=True)
    return Parts(newest[:FOUND_UP_TO], more or len(newest) > FOUND_UP_TO)


def thread_search(threads: QuerySet[Thread], text: str) -> QuerySet[Thread]:
    """Those that have the text exactly as an id or user; only where there is none, those that contain it."""
    text = search_text(text)
    if not text:
        return threads
    exactly = threads_exactly(text)
    if Thread.objects.filter(exactly).exists():
        return threads.filter(exactly)
    return threads.filter(pk__in=threads_by_part(text).pks)


def _conversations() -> Iterator[QuerySet[Any]]:
    yield Conversation.objects.exclude(conversation_id="")
    yield FormerConversation.objects.all()


def _backwards() -> QuerySet[Any]:
    return Thread.objects.annotate(backwards=Reverse("thread_id"))


def _by_one_part(text: str) -> Iterator[Parts]:
    for begins in _beginnings(text, THREAD_IDS):
        yield _first(Thread.objects.filter(thread_id__startswith=begins).order_by("thread_id"), "pk")
    yield _first(_backwards().filter(backwards__startswith=text[::-1]).order_by("backwards"), "pk")
    for begins in _beginnings(text, CONVERSATION_IDS):
        for named in _conversations():
            rows = named.filter(conversation_id__startswith=begins).order_by("conversation_id")
            yield _first(rows, "thread_id")
    yield _by_user(text)


def _by_both_ends(head: str, tail: str) -> Iterator[Parts]:
    """As lists show a long id. Its end is random and so names few threads, while all ids may begin alike."""
    if len(tail) >= SHORTEST_PART:
        rows = _backwards().filter(backwards__startswith=tail[::-1]).order_by("backwards")
        yield _ending(rows.values_list("pk", "thread_id"), _beginnings(head, THREAD_IDS), "")
    if len(head) >= SHORTEST_PART:
        for begins in _beginnings(head, CONVERSATION_IDS):
            for named in _conversations():
                begun = named.filter(conversation_id__startswith=begins).order_by("conversation_id")
                yield _ending(begun.values_list("thread_id", "conversation_id"), ("",), tail)


def _beginnings(text: str, prefix: str) -> tuple[str, ...]:
    """The text as an id's beginning, and as one whose prefix was left out; one lookup along the index each."""
    return (text,) if text.startswith((THREAD_IDS, CONVERSATION_IDS)) else (text, prefix + text)


def _by_user(text: str) -> Parts:
    """By trigrams; a text that a large part of all users has is searched among the newest threads only."""
    found = Thread.objects.exclude(user_ref="").annotate(user=Upper("user_ref"))
    found = found.filter(user__contains=text.upper())
    if estimated(found) <= _TOO_MANY:
        # By a sum: in the order of the primary key PostgreSQL might walk that one instead, past millions of others.
        return _first(found.annotate(newest=F("id") + 0).order_by("-newest"), "pk")
    newest = Thread.objects.order_by("-pk").values_list("pk", flat=True)[: index_walks.SCANNED_AT_ONCE]
    return Parts(_first(found.filter(pk__in=keys(newest)), "pk").pks, more=True)


def _first(rows: QuerySet[Any], key: str) -> Parts:
    pks = list(rows.values_list(key, flat=True)[: FOUND_UP_TO + 1])
    return Parts(pks[:FOUND_UP_TO], len(pks) > FOUND_UP_TO)


def _ending(rows: QuerySet[Any, tuple[int, str]], heads: tuple[str, ...], tail: str) -> Parts:
    """Those of the first rows whose id has one of the beginnings, and the end."""
    scanned = list(rows[: index_walks.SCANNED_AT_ONCE])
    pks = [pk for pk, found in scanned if found.startswith(heads) and found.endswith(tail)]
    return Parts(pks[:FOUND_UP_TO], len(scanned) == index_walks.SCANNED_AT_ONCE or len(pks) > FOUND_UP_TO)
