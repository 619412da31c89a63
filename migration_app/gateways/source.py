"""The live source: threads, messages, runs and steps, as the bytes that the server sent.

Must not import Django, models or services.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import quote

from migration_app.gateways.connection import Answer, Connection, Query
from migration_app.gateways.errors import GatewayError, unreadable_answer

PAGE_SIZE = 100
_FILE_SEARCH_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


async def thread_documents(connection: Connection, *, thread_id: str) -> AsyncIterator[Answer]:
    """Read all of a thread: the thread object, then pages of messages, runs and steps, oldest first.

    Raises GatewayError; ``not_found`` if the source has no such thread (404 or 410).
    """
    base = f"/threads/{quote(thread_id, safe='')}"
    yield await connection.get(base)
    async for page in _pages(connection, f"{base}/messages", {}):
        yield page
    async for page in _pages(connection, f"{base}/runs", {}):
        yield page
        for run in page.value["data"]:
            if isinstance(run, dict) and isinstance(run.get("id"), str):
                steps = f"{base}/runs/{quote(run['id'], safe='')}/steps"
                async for step_page in _step_pages(connection, steps):
                    yield step_page


async def loose_document(
    connection: Connection, *, kind: Literal["assistant", "file"], object_id: str
) -> Answer:
    """Read an assistant or a file's description. Raises GatewayError."""
    return await connection.get(f"/{kind}s/{quote(object_id, safe='')}")


async def _step_pages(connection: Connection, path: str) -> AsyncIterator[Answer]:
    try:
        # What a file search found is only sent to those who ask.
        async for page in _pages(connection, path, {"include": [_FILE_SEARCH_RESULTS]}):
            yield page
    except GatewayError as error:
        if not error.permanent or error.code in {"unauthorized", "forbidden", "not_found"}:
            raise
        async for page in _pages(connection, path, {}):  # a server that does not know `include`
            yield page


async def _pages(connection: Connection, path: str, query: Query) -> AsyncIterator[Answer]:
    after = ""
    while True:
        asked: Query = {"order": "asc", "limit": PAGE_SIZE, **query}
        if after:
            asked["after"] = after
        answer = await connection.get(path, asked)
        data = answer.value.get("data")
        if not isinstance(data, list):
            raise unreadable_answer("no list", answer.request_id)
        yield answer
        if not answer.value.get("has_more") or not data:
            return
        last = answer.value.get("last_id") or (data[-1].get("id") if isinstance(data[-1], dict) else None)
        if not isinstance(last, str) or last == after:
            raise unreadable_answer("a list that does not advance", answer.request_id)
        after = last
