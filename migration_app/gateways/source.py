"""The live source: threads, messages, runs and steps, as the bytes that the server sent.

Must not import Django, models or services.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import quote

from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.paging import list_pages

_FILE_SEARCH_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


async def thread_documents(connection: Connection, *, thread_id: str) -> AsyncIterator[Answer]:
    """Read all of a thread: the thread object, then pages of messages, runs and steps, oldest first.

    Raises GatewayError; ``not_found`` if the source has no such thread (404 or 410).
    """
    base = f"/threads/{quote(thread_id, safe='')}"
    yield await connection.get(base)
    async for page in list_pages(connection, f"{base}/messages"):
        yield page
    async for page in list_pages(connection, f"{base}/runs"):
        yield page
        for run in page.value["data"]:
            if isinstance(run, dict) and isinstance(run.get("id"), str):
                steps = f"{base}/runs/{quote(run['id'], safe='')}/steps"
                # Results of a file search are sent on request only.
                async for step_page in list_pages(connection, steps, include=[_FILE_SEARCH_RESULTS]):
                    yield step_page


async def loose_document(
    connection: Connection, *, kind: Literal["assistant", "file"], object_id: str
) -> Answer:
    """Read an assistant or a file's description. Raises GatewayError."""
    return await connection.get(f"/{kind}s/{quote(object_id, safe='')}")
