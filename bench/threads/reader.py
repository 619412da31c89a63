"""Reading alone: threads and their lists from the source, as many at once as the console has, and nothing kept.

python -m bench.threads.reader       commands as lines of JSON, see bench.children

The least that a live snapshot could cost. Must not import Django or the application.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp

from bench.children import answer_commands
from bench.measure import Spending

_PAGE = 100


async def _document(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with session.get(f"{os.environ['SOURCE_BASE_URL']}/{path}") as response:
        response.raise_for_status()
        document: dict[str, Any] = json.loads(await response.read())
        return document


async def _thread(session: aiohttp.ClientSession, thread_id: str) -> int:
    """Read a thread as the console does; returns how many messages it has."""
    await _document(session, f"threads/{thread_id}")
    messages, after = 0, ""
    while True:
        page = await _document(
            session, f"threads/{thread_id}/messages?order=asc&limit={_PAGE}{after and f'&after={after}'}"
        )
        messages += len(page["data"])
        if not page["has_more"]:
            break
        after = page["last_id"]
    await _document(session, f"threads/{thread_id}/runs?order=asc&limit={_PAGE}")
    return messages


async def _take(session: aiohttp.ClientSession, waiting: Iterator[str]) -> int:
    return sum([await _thread(session, thread_id) for thread_id in waiting])


async def _read(ids: Sequence[str], window: int) -> int:
    waiting = iter(ids)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return sum(await asyncio.gather(*(_take(session, waiting) for _ in range(window))))


def read(*, ids: Sequence[str], window: int) -> dict[str, float]:
    """Read the threads; returns wall and CPU seconds, and how many messages there were."""
    with Spending() as spent:
        messages = asyncio.run(_read(ids, window))
    return {**spent.seconds(), "messages": messages}


if __name__ == "__main__":
    answer_commands({"read": read})
