"""Wire shapes of the Assistants API as it really answered, and ids and choices that every build makes alike.

Recorded answers differ from the official types: messages carry no `status` (only stream events did), steps
say `expires_at`, usage says `prompt_token_details`. Standard library only; must not import Django.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

JsonObject = dict[str, object]
T = TypeVar("T")

ABSENT: Final = object()
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _digest(key: tuple[object, ...]) -> int:
    # A hash of the key, not a random generator: one changed thread leaves all the others as they were, and no
    # Python release can change the sequence.
    return int.from_bytes(hashlib.sha256("/".join(str(part) for part in key).encode()).digest(), "big")


def number(limit: int, *key: object) -> int:
    """A number from 0 up to (not including) `limit` that depends on the key only."""
    return _digest(key) % limit


def pick(options: Sequence[T], *key: object) -> T:
    """One of the options; which one depends on the key only."""
    return options[number(len(options), *key)]


def object_id(prefix: str, *key: object, length: int = 24) -> str:
    """An id as the API wrote them: `thread_`, `msg_`, `run_` and so on, then 24 alphanumerics."""
    value, letters = _digest((prefix, *key)), ""
    for _ in range(length):
        value, rest = divmod(value, len(_ALPHABET))
        letters += _ALPHABET[rest]
    return f"{prefix}_{letters}"


def file_id(key: str, *, old: bool = False) -> str:
    """A file id: `file-` and 22 alphanumerics, 24 until late 2024."""
    return object_id("file", key, length=24 if old else 22).replace("_", "-", 1)


def vector_store_id(key: str) -> str:
    """A vector store id: `vs_` and 32 hexadecimal digits."""
    return f"vs_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def with_changes(shape: JsonObject, changes: Mapping[str, object]) -> JsonObject:
    """The shape with those keys set; a key whose value is ABSENT is left out."""
    merged = {**shape, **changes}
    return {key: value for key, value in merged.items() if value is not ABSENT}


def text(value: str, marks: Sequence[tuple[str, JsonObject]] = ()) -> JsonObject:
    """A text part; each mark is (marker in the text, annotation body) and is annotated wherever it occurs."""
    annotations: list[tuple[int, JsonObject]] = []
    for marker, body in marks:
        found = [match.start() for match in re.finditer(re.escape(marker), value)]
        if not found:
            raise ValueError(
                f"The marker {marker!r} does not occur in the text {value!r}: write it into the text."
            )
        annotations += [
            (start, {**body, "text": marker, "start_index": start, "end_index": start + len(marker)})
            for start in found
        ]
    ordered = [annotation for _, annotation in sorted(annotations, key=lambda pair: pair[0])]
    return {"type": "text", "text": {"value": value, "annotations": ordered}}


def file_citation(cited: str) -> JsonObject:
    """The body of a citation of a file."""
    return {"type": "file_citation", "file_citation": {"file_id": cited}}


def file_path(made: str) -> JsonObject:
    """The body of an annotation for a file that code interpreter wrote."""
    return {"type": "file_path", "file_path": {"file_id": made}}


def url_citation(url: str, title: str) -> JsonObject:
    """The body of a citation of a web page (Foundry's addition)."""
    return {"type": "url_citation", "url_citation": {"url": url, "title": title}}


def image_file(image: str, detail: str | None = None) -> JsonObject:
    """An uploaded or generated picture; generated ones mostly came without `detail`."""
    body = {"file_id": image} if detail is None else {"file_id": image, "detail": detail}
    return {"type": "image_file", "image_file": body}


def image_url(url: str, detail: str) -> JsonObject:
    """A picture on the web."""
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def attachment(attached: str, *tools: str) -> JsonObject:
    """A file attached to a message for those tools."""
    return {"file_id": attached, "tools": [{"type": tool} for tool in tools]}


def function_call(call: str, name: str, arguments: str, output: str | None) -> JsonObject:
    """A function call of a run step; output None when the caller never submitted one."""
    body = {"name": name, "arguments": arguments, "output": output}
    return {"id": object_id("call", call), "type": "function", "function": body}


def code_call(call: str, source: str, *outputs: JsonObject) -> JsonObject:
    """A code interpreter call of a run step."""
    body = {"input": source, "outputs": list(outputs)}
    return {"id": object_id("call", call), "type": "code_interpreter", "code_interpreter": body}


def search_call(call: str, hits: Sequence[tuple[str, str, float]], words: str | None = None) -> JsonObject:
    """A file search of a run step; hits are (file id, file name, score), words the text found or None."""
    results: list[JsonObject] = []
    for found, name, score in hits:
        hit: JsonObject = {"file_id": found, "file_name": name, "score": score, "attributes": {}}
        if words is not None:
            hit["content"] = [{"type": "text", "text": words}]
        results.append(hit)
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
    return {
        "id": object_id("call", call),
        "type": "file_search",
        "file_search": {"ranking_options": ranking, "results": results},
    }


def message(
    message_id: str, thread_id: str, created_at: int, role: str, content: Sequence[JsonObject]
) -> JsonObject:
    """A message as list and retrieve answered it: without `status`."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": role,
        "content": list(content),
        "attachments": [],
        "metadata": {},
    }


def usage(prompt: int, completion: int) -> JsonObject:
    """Token counts, with the spelling of the wire (`prompt_token_details`)."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def run(run_id: str, thread_id: str, created_at: int, finished_at: int, assistant: JsonObject) -> JsonObject:
    """A completed run of the assistant, with what it took over from it."""
    return {
        "id": run_id,
        "object": "thread.run",
        "created_at": created_at,
        "assistant_id": assistant["id"],
        "thread_id": thread_id,
        "status": "completed",
        "started_at": created_at,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": finished_at,
        "required_action": None,
        "last_error": None,
        "model": assistant["model"],
        "instructions": assistant["instructions"],
        "tools": assistant["tools"],
        "tool_resources": {},
        "metadata": {},
        "temperature": assistant["temperature"],
        "top_p": assistant["top_p"],
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": usage(400, 60),
        "response_format": assistant["response_format"],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def step(step_id: str, of_run: JsonObject, created_at: int, details: JsonObject) -> JsonObject:
    """A completed step of the run; details are `message_creation` or `tool_calls`."""
    return {
        "id": step_id,
        "object": "thread.run.step",
        "created_at": created_at,
        "run_id": of_run["id"],
        "assistant_id": of_run["assistant_id"],
        "thread_id": of_run["thread_id"],
        "type": details["type"],
        "status": "completed",
        "cancelled_at": None,
        "completed_at": created_at + 1,
        "expires_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": usage(380, 40),
    }
