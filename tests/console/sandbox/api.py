"""Objects and calls that the sandbox's tests share."""

from typing import Any

import httpx2
from openai import OpenAI

Json = dict[str, Any]


def post(client: OpenAI, path: str, body: object) -> httpx2.Response:
    """Post through the SDK's low verb, which checks nothing on the way."""
    return client.post(path, body=body, cast_to=httpx2.Response)


def get(client: OpenAI, path: str) -> Json:
    """Get through the SDK's low verb."""
    value: Json = client.get(path, cast_to=httpx2.Response).json()
    return value


def user(text: str, **more: Any) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **more}


def assistant(text: str, **more: Any) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def call(call_id: str, **more: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "look_up", "arguments": "{}", **more}


def output(call_id: str, **more: Any) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": "found", **more}


def thread(thread_id: str = "thread_1", **more: Any) -> Json:
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": 1_700_000_000,
        "metadata": {},
        "tool_resources": {},
        **more,
    }


def message(number: int, thread_id: str = "thread_1", **more: Any) -> Json:
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "created_at": 1_700_000_000 + number,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": "user" if number % 2 else "assistant",
        "content": [{"type": "text", "text": {"value": f"message {number}", "annotations": []}}],
        "attachments": [],
        "metadata": {},
        **more,
    }


def run(number: int, thread_id: str = "thread_1", **more: Any) -> Json:
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "created_at": 1_700_000_000 + number,
        "thread_id": thread_id,
        "assistant_id": "asst_1",
        "status": "completed",
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "metadata": {},
        **more,
    }


def step(number: int, run_id: str = "run_1", **more: Any) -> Json:
    return {
        "id": f"step_{number}",
        "object": "thread.run.step",
        "created_at": 1_700_000_000 + number,
        "run_id": run_id,
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "type": "message_creation",
        "status": "completed",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": f"msg_{number}"}},
        **more,
    }


def simple(kind: str, object_id: str, created_at: int = 1_700_000_000, **more: Any) -> Json:
    return {"id": object_id, "object": kind, "created_at": created_at, **more}
