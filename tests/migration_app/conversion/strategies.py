"""Threads that hypothesis makes: legal ones with every feature, and any JSON where an object should be."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from migration_app.contracts import Policies, SourceThread, policies_from, policy_choices

TEXTS = st.text(min_size=1, max_size=30) | st.sampled_from(
    ["🌾 sacks【4:0†source】", "א\u0000ב", "cut \ud83c"]
)
IDS = st.sampled_from(["file-a", "file-b", "file-c"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_FIELDS = """
    id type role content text value annotations file_id image_file image_url url metadata attachments file_ids
    status created_at run_id step_details tool_calls message_creation message_id function name arguments output
    start_index end_index file_citation url_citation refusal required_action submit_tool_outputs tools
    tool_resources parameters file_search ranking_options hybrid_search response_format json_schema
"""
_VALUES = """
    user assistant text image_file image_url refusal function tool_calls message_creation file_citation file_path
    url_citation completed incomplete code_interpreter file_search json_schema m1 {} https://a.example/b
"""
NAMES = st.sampled_from(_FIELDS.split())
WORDS = st.sampled_from([*_VALUES.split(), "\ud800", ""])
ANY_JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


@st.composite
def text_annotations(draw: st.DrawFn, text: str) -> dict[str, Any]:
    """An annotation of any known kind, whose offsets may or may not fit."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    kind = draw(st.sampled_from(["file_citation", "file_path", "url_citation"]))
    payload = (
        {"url": "https://tides.example/", "title": "Tides"}
        if kind == "url_citation"
        else {"file_id": draw(IDS)}
    )
    shift = draw(st.sampled_from([0, 0, 1, 50]))
    return {
        "type": kind,
        "text": text[start:end],
        "start_index": start + shift,
        "end_index": end + shift,
        kind: payload,
    }


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """A content part: text, image, refusal, or a kind nobody knows."""
    kind = draw(
        st.sampled_from(["text", "text", "text", "image_file", "image_url", "refusal", "empty", "unknown"])
    )
    text = draw(TEXTS)
    if kind == "text":
        noted = draw(st.lists(text_annotations(text), max_size=3))
        return {"type": "text", "text": {"value": text, "annotations": noted}}
    bodies: dict[str, dict[str, Any]] = {
        "image_file": {"type": "image_file", "image_file": {"file_id": draw(IDS), "detail": "low"}},
        "image_url": {"type": "image_url", "image_url": {"url": "https://pictures.example/b.png"}},
        "refusal": {"type": "refusal", "refusal": text},
        "empty": {"type": "text", "text": {"value": "", "annotations": []}},
        "unknown": {"type": "hologram", "hologram": text},
    }
    return bodies[kind]


def policies() -> st.SearchStrategy[Policies]:
    """Every combination of choices."""
    chosen = {name: st.sampled_from(choices) for name, choices in policy_choices().items()}
    return st.fixed_dictionaries(chosen).map(policies_from)


OUTPUTS = st.sampled_from(
    [
        {"type": "logs", "logs": "06:12"},
        {"type": "logs", "logs": "[migrated: image]", "index": 0},
        {"type": "image", "image": {"file_id": "file-a"}},
        {"type": "image", "image": {"url": "https://tides.example/a.png"}},
    ]
)
RESULTS = st.sampled_from(
    [
        {"file_id": "file-a", "score": 0.5, "content": [{"type": "text", "text": "High water 06:12"}]},
        {"file_id": "file-b", "file_name": "b.pdf", "attributes": {"year": 2023, "odd": None}},
        {"rank": 1},
    ]
)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A tool call: mostly functions, with and without name and output; hosted tools of every kind."""
    call: dict[str, Any] = {"id": draw(st.sampled_from(["call_1", "call_2", "call_3", "c" * 80]))}
    call["type"] = kind = draw(
        st.sampled_from(["function"] * 4 + ["code_interpreter", "file_search", "bing_grounding", "retrieval"])
    )
    if kind == "function":
        name = draw(st.sampled_from(["f", "f", "f", None]))
        call[kind] = {"name": name, "arguments": draw(TEXTS), "output": draw(st.none() | TEXTS)}
    elif kind == "code_interpreter":
        call[kind] = {"input": draw(TEXTS), "outputs": draw(st.lists(OUTPUTS, max_size=3))}
        call |= draw(st.sampled_from([{}, {"container_id": "cntr_1"}]))
    elif kind == "file_search":
        call[kind] = {"results": draw(st.none() | st.lists(RESULTS, max_size=3))}
        call[kind] |= draw(
            st.sampled_from([{}, {"queries": ["tides"]}, {"ranking_options": {"ranker": "auto"}}])
        )
    else:
        call[kind] = {"said": draw(TEXTS)}
    return call


@st.composite
def threads(draw: st.DrawFn, *, deletions: bool = False) -> SourceThread:
    """A legal thread: messages in order, runs with steps that made some of them, a run that waits.

    With ``deletions`` the source may have deleted it, or some of its messages.
    """
    messages: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 8))):
        role = draw(st.sampled_from(["user", "assistant"]))
        message: dict[str, Any] = {"id": f"m{number}", "role": role, "created_at": 100 + number // 2}
        message["status"] = draw(
            st.sampled_from([None, "completed", "completed", "incomplete", "in_progress"])
        )
        message["content"] = draw(st.lists(parts(), max_size=4))
        message["attachments"] = [
            {"file_id": f, "tools": [{"type": "file_search"}]} for f in draw(st.lists(IDS, max_size=3))
        ]
        if role == "assistant" and draw(st.booleans()):
            run = {"run_id": f"run_{number}", "created_at": 99 + number // 2, "status": "completed"}
            for turn in range(draw(st.integers(0, 3))):
                details = {
                    "type": "tool_calls",
                    "tool_calls": draw(st.lists(calls(), min_size=1, max_size=12)),
                }
                steps.append(run | {"id": f"step_{number}_{turn}", "step_details": details})
            made = {"type": "message_creation", "message_creation": {"message_id": f"m{number}"}}
            steps.append(run | {"id": f"made_{number}", "step_details": made})
        messages.append(message)
    waited_for = [call | {"id": f"wait_{n}"} for n, call in enumerate(draw(st.lists(calls(), max_size=2)))]
    waiting = {"id": "run_end", "created_at": 200, "required_action": {"a": {"tool_calls": waited_for}}}
    files = {"file-a": {"id": "file-a", "filename": "a.pdf"}}
    stores = draw(st.sampled_from([{}, {"file_search": {"vector_store_ids": ["vs_1"]}}]))
    thread = {"id": "thread_mill", "tool_resources": stores}
    names = [message["id"] for message in messages] if deletions else []
    return SourceThread(
        "thread_mill",
        thread,
        tuple(messages),
        (waiting,),
        tuple(steps),
        files,
        deleted=deletions and draw(st.booleans()),
        deleted_messages=draw(st.frozensets(st.sampled_from(names), max_size=2)) if names else frozenset(),
    )


@st.composite
def damaged(draw: st.DrawFn, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the sources with a few of its values replaced by any JSON, or taken away."""
    source: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(list(_places(source)) or [(source, "id")]))
        if isinstance(container, dict) and draw(st.integers(0, 3)) == 0:
            container.pop(key, None)
        else:
            container[key] = draw(ANY_JSON)
    return source


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container inside the value with each of its keys."""
    entries = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, entry in entries:
        yield value, key
        yield from _places(entry)
