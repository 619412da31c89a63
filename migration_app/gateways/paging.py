"""Lists of an API, page by page, oldest first, with an upper limit. Must not import Django, models or services."""

from __future__ import annotations

from collections.abc import AsyncIterator

from migration_app.gateways.connection import Answer, Connection, Query
from migration_app.gateways.errors import GatewayError, unreadable_answer

ITEMS_PER_PAGE = 100
"""The most that a list gives at once."""

_MOST_PAGES = 100_000
"""Ten million objects: no thread has so many, and an endless list must end too."""
_SMALLER_BY = 10
_NOT_UNDERSTOOD = frozenset({400, 415, 422, 501})


async def list_pages(
    connection: Connection, path: str, *, include: list[str] | None = None
) -> AsyncIterator[Answer]:
    """Read a whole list. Raises GatewayError; ``unreadable_answer`` for one that is no list, or does not advance.

    ``include`` requests optional fields; a server that refuses it is read without it.
    Pages larger than the limit are requested again with fewer objects. No cursor is ever used that this
    listing did not give: what servers do with an unknown one differs (404, or from the beginning again).
    """
    query: Query = {"order": "asc", "limit": ITEMS_PER_PAGE}
    if include:
        query["include"] = include
    limit, progress = ITEMS_PER_PAGE, _Progress()
    while True:
        try:
            answer = await connection.get(path, query)
        except GatewayError as error:
            if error.code == "answer_too_large" and limit > 1:
                limit //= _SMALLER_BY
                query["limit"] = limit
            elif error.status in _NOT_UNDERSTOOD and "include" in query:
                del query["include"]
            else:
                raise
            continue
        data = answer.value.get("data")
        if not isinstance(data, list):
            raise unreadable_answer("no list", answer.request_id)
        yield answer
        if not answer.value.get("has_more"):
            return
        last = data[-1] if data else None
        cursor = answer.value.get("last_id") or (last.get("id") if isinstance(last, dict) else None)
        if not data or not isinstance(cursor, str) or not progress.advances(cursor):
            raise unreadable_answer("a list that does not advance", answer.request_id)
        query["after"] = cursor


class _Progress:
    """Detects cursors that repeat in a cycle of any length, by keeping one of them (R. Brent, 1980)."""

    def __init__(self) -> None:
        self._kept = ""
        self._steps = 0
        self._keep_at = 1

    def advances(self, cursor: str) -> bool:
        """Whether this cursor is not the one that was kept, and the list not endless."""
        self._steps += 1
        if cursor == self._kept or self._steps > _MOST_PAGES:
            return False
        if self._steps == self._keep_at:
            self._kept = cursor
            self._keep_at *= 2
        return True
