"""The threads that are measured with: invented, of any number, made from their id alone.

A thread's id says how many messages it has, so the server needs no state for the source and both sides meet the
same bytes. Standard library only.
"""

from __future__ import annotations

import functools
import json

ASSISTANT_ID = "asst_bench"
CREATED_AT = 1_700_000_000
_ASKED = (
    "My order has not arrived yet, and the page only says that it is on its way.",
    "Could you tell me which of the two plans is the cheaper one for a team of nine people?",
    "The invoice names the old address; the new one is in my profile since March, as far as I remember.",
    "Danke! Und wie lange dauert das bis in die Schweiz, also mit Zoll und allem?",
)
_ANSWERED = (
    (
        "I have looked into it. The parcel left the warehouse on Monday and was scanned again on Tuesday night, "
        "so it should be with you within two working days. "
    ),
    (
        "Of the two plans the smaller one is cheaper up to ten people; from eleven on the larger one is, because "
        "its price does not depend on the number of seats. "
    ),
    "- open *Settings*, then *Billing*\n- choose the address that shall stand on the invoice\n- save\n\n",
)
_NUMBER_PLACE = "########"


def thread_ids(messages: int, first: int, count: int) -> list[str]:
    """Ids of ``count`` threads of that many messages, numbered from ``first``."""
    return [f"thread_{_token(messages, f'{number:08d}')}" for number in range(first, first + count)]


def messages_of(thread_id: str) -> int:
    """How many messages a thread has. ValueError if the id is none of ours."""
    head, _, _ = thread_id.removeprefix("thread_bench").partition("x")
    return int(head)


def thread_document(thread_id: str) -> bytes:
    """The thread object."""
    return _encode(
        {
            "id": thread_id,
            "object": "thread",
            "created_at": CREATED_AT,
            "metadata": {"user_id": f"user-{thread_id[-4:]}"},
            "tool_resources": {},
        }
    )


def message_page(thread_id: str, *, after: str = "", limit: int = 20) -> bytes:
    """A page of the thread's messages, oldest first, as the API lists them."""
    token = thread_id.removeprefix("thread_")
    first = int(after.rpartition("_")[2]) + 1 if after else 0
    messages = messages_of(thread_id)
    return _page_template(messages, first, limit).replace(_token(messages).encode(), token.encode())


def assistant_document() -> bytes:
    """The assistant that answered."""
    return _encode(
        {
            "id": ASSISTANT_ID,
            "object": "assistant",
            "created_at": CREATED_AT,
            "name": "Desk",
            "description": None,
            "model": "gpt-4.1",
            "instructions": "Answer in one paragraph.",
            "tools": [],
            "tool_resources": {},
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "response_format": "auto",
        }
    )


def _token(messages: int, number: str = _NUMBER_PLACE) -> str:
    return f"bench{messages:05d}x{number}"


@functools.cache
def _page_template(messages: int, first: int, limit: int) -> bytes:
    numbers = range(first, min(first + limit, messages))
    ids = [_message_id(messages, number) for number in numbers]
    return _encode(
        {
            "object": "list",
            "data": [_message(messages, number) for number in numbers],
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": first + limit < messages,
        }
    )


def _message(messages: int, number: int) -> dict[str, object]:
    asked = number % 2 == 0
    text = (
        _ASKED[number // 2 % len(_ASKED)] if asked else _ANSWERED[number % len(_ANSWERED)] * (1 + number % 5)
    )
    return {
        "id": _message_id(messages, number),
        "object": "thread.message",
        "created_at": CREATED_AT + number * 7,
        "assistant_id": None if asked else ASSISTANT_ID,
        "thread_id": f"thread_{_token(messages)}",
        "run_id": None,
        "role": "user" if asked else "assistant",
        "content": [{"type": "text", "text": {"value": f"{number + 1}. {text}", "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def _message_id(messages: int, number: int) -> str:
    return f"msg_{_token(messages)}_{number:06d}"


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
