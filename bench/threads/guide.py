"""The vendor's way: the script of its migration guide, as it stands there, against which the console is measured.

The guide's sample reads a thread's messages with the typed SDK, builds items and creates a conversation with them.
Two things are changed, without which it would not get to its end: `messages` is begun as a list, and only the first 20
items go into the create, the rest follow in appends of 20 (the target takes at most 20 a call). It is sequential and
keeps no record, as the guide's is. Must not import Django or the application.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from openai import OpenAI

from bench.children import answer_commands
from bench.measure import Spending

ITEMS_PER_CALL = 20


def backfill(client: OpenAI, thread_id: str) -> str:
    """Copy one thread into a new conversation; returns its id."""
    messages: list[Any] = []
    for page in client.beta.threads.messages.list(thread_id=thread_id, order="asc").iter_pages():
        messages += page.data

    items: list[Any] = []
    for m in messages:
        item: dict[str, Any] = {"role": m.role}
        item_content: list[dict[str, Any]] = []

        for content in m.content:
            match content.type:
                case "text":
                    item_content_type = "input_text" if m.role == "user" else "output_text"
                    item_content += [{"type": item_content_type, "text": content.text.value}]
                case "image_url":
                    item_content += [
                        {
                            "type": "input_image",
                            "image_url": content.image_url.url,
                            "detail": content.image_url.detail,
                        }
                    ]

        item |= {"content": item_content}
        items.append(item)

    # create a conversation with your converted items
    conversation = client.conversations.create(items=items[:ITEMS_PER_CALL])
    for start in range(ITEMS_PER_CALL, len(items), ITEMS_PER_CALL):
        client.conversations.items.create(conversation.id, items=items[start : start + ITEMS_PER_CALL])
    return conversation.id


def backfill_all(client: OpenAI, ids: Sequence[str]) -> dict[str, float]:
    """Copy one thread after the other; returns wall and CPU seconds."""
    with Spending() as spent:
        for thread_id in ids:
            backfill(client, thread_id)
    return spent.seconds()


def _main() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # the threads' half of the SDK is marked so
    client = OpenAI()  # its default transport; key and address from the environment
    answer_commands({"backfill": lambda ids: backfill_all(client, ids)})


if __name__ == "__main__":
    _main()
