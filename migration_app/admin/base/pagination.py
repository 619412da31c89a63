"""Pages of long lists inside a page: never more rows than a person reads. Imports nothing of the project."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.http import HttpRequest

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of a sequence, and the query strings of its neighbours (empty where there is none)."""

    rows: Sequence[T]
    number: int
    pages: int
    total: int
    first: int
    last: int
    previous: str
    following: str
    beginning: str
    end: str


def slice_of(
    request: HttpRequest, name: str, rows: Any, *, size: int, total: int | None = None
) -> Slice[Any]:
    """Cut the page that the query parameter ``name`` asks for; anything unreadable means the first page.

    ``rows`` is a sequence or a QuerySet; ``total`` spares a QuerySet's count where it is known.
    """
    count = total if total is not None else len(rows) if isinstance(rows, Sequence) else rows.count()
    pages = max(1, -(-count // size))
    asked = request.GET.get(name, "")
    number = min(max(1, int(asked)), pages) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    start = (number - 1) * size

    def link(page: int) -> str:
        if page == number or not 1 <= page <= pages:
            return ""
        query = request.GET.copy()
        query[name] = str(page)
        return f"?{query.urlencode()}"

    return Slice(
        rows=list(rows[start : start + size]),
        number=number,
        pages=pages,
        total=count,
        first=start + 1 if count else 0,
        last=min(start + size, count),
        previous=link(number - 1),
        following=link(number + 1),
        beginning=link(1),
        end=link(pages),
    )
