"""The source side: what was seeded, listed and retrieved. Changes nothing.

Every list is newest first unless asked otherwise (spec); ties inside a second stand in the order of the list.
"""

from collections.abc import Callable

from console.sandbox.errors import not_found
from console.sandbox.rules import FILES_PAGE_DEFAULT, FILES_PAGE_LARGEST, page_query
from console.sandbox.store import Shelf, Stored
from console.sandbox.wire import Answer, Call, list_answer
from console.sandbox.world import World

SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


def assistant_list(world: World, call: Call) -> Answer:
    """GET /assistants."""
    return _page(world.source.assistants, call)


def assistant_get(world: World, call: Call) -> Answer:
    """GET /assistants/{assistant_id}."""
    return _one(world.source.assistants, call.params["assistant_id"])


def thread_list(world: World, call: Call) -> Answer:
    """GET /threads: Foundry's, told by its `api-version`. OpenAI never had a list of threads."""
    if "api-version" not in call.query:
        raise not_found(f"Invalid URL ({call.method} {call.path})")
    return _page(world.source.threads, call)


def thread_get(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}."""
    return _one(world.source.threads, call.params["thread_id"])


def message_list(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/messages, with `run_id` those of one run."""
    shelf = _of_thread(world, world.source.messages, call)
    run_id = call.query.get("run_id")
    return _page(shelf, call, None if run_id is None else lambda message: message.ref == run_id)


def message_get(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/messages/{message_id}."""
    return _one(_of_thread(world, world.source.messages, call), call.params["message_id"])


def run_list(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/runs."""
    return _page(_of_thread(world, world.source.runs, call), call)


def run_get(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/runs/{run_id}."""
    return _one(_of_thread(world, world.source.runs, call), call.params["run_id"])


def step_list(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/runs/{run_id}/steps; file search contents only when included."""
    return _page(_of_run(world, call), call)


def step_get(world: World, call: Call) -> Answer:
    """GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}; file search contents only when included."""
    step = _find(_of_run(world, call), call.params["step_id"])
    return Answer(_shown(step, call))


def file_list(world: World, call: Call) -> Answer:
    """GET /files: up to 10,000 a page."""
    query = page_query(call.query, FILES_PAGE_DEFAULT, FILES_PAGE_LARGEST)
    entries, has_more = world.source.files.page(query)
    return list_answer(
        [entry.id for entry in entries], [entry.raw for entry in entries], has_more=has_more, empty_id=None
    )


def file_get(world: World, call: Call) -> Answer:
    """GET /files/{file_id}."""
    file = world.source.files.get(call.params["file_id"])
    if file is None:
        raise not_found(f"No such File object: {call.params['file_id']}", param="id")
    return Answer(file.raw)


def vector_store_list(world: World, call: Call) -> Answer:
    """GET /vector_stores."""
    return _page(world.source.vector_stores, call)


def vector_store_get(world: World, call: Call) -> Answer:
    """GET /vector_stores/{vector_store_id}."""
    return _one(world.source.vector_stores, call.params["vector_store_id"])


def _page(shelf: Shelf, call: Call, keep: Callable[[Stored], bool] | None = None) -> Answer:
    entries, has_more = shelf.page(page_query(call.query), keep)
    # Recorded: the ids of an empty page are null, though the spec calls them strings.
    return list_answer(
        [entry.id for entry in entries],
        [_shown(entry, call) for entry in entries],
        has_more=has_more,
        empty_id=None,
    )


def _shown(entry: Stored, call: Call) -> bytes:
    if entry.lean is None:
        return entry.raw
    wanted = call.query.getlist("include[]") + call.query.getlist("include")
    return entry.raw if SEARCH_CONTENT in wanted else entry.lean


def _one(shelf: Shelf, object_id: str) -> Answer:
    return Answer(_find(shelf, object_id).raw)


def _find(shelf: Shelf, object_id: str) -> Stored:
    entry = shelf.get(object_id)
    if entry is None:
        raise not_found(f"No {shelf.noun} found with id '{object_id}'.")
    return entry


def _of_thread(world: World, shelves: dict[str, Shelf], call: Call) -> Shelf:
    thread_id = call.params["thread_id"]
    _find(world.source.threads, thread_id)
    return shelves[thread_id]


def _of_run(world: World, call: Call) -> Shelf:
    run_id = call.params["run_id"]
    _find(_of_thread(world, world.source.runs, call), run_id)
    return world.source.steps[run_id]
