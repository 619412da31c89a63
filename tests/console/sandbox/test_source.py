from typing import Final

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.sandbox import RunningSandbox

from .api import Json, get, message, run, simple, step, thread

# The SDK marks its Assistants methods as deprecated; here they are the point.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SEARCH_CONTENT: Final = "step_details.tool_calls[*].file_search.results[*].content"


def search_step() -> Json:
    result = {
        "file_id": "file-1",
        "file_name": "rules.md",
        "score": 0.5,
        "content": [{"type": "text", "text": "two suitcases"}],
    }
    search = {"ranking_options": {"ranker": "auto", "score_threshold": 0}, "results": [result]}
    details = {
        "type": "tool_calls",
        "tool_calls": [{"id": "call_1", "type": "file_search", "file_search": search}],
    }
    return step(1, type="tool_calls", step_details=details)


def test_messages_come_newest_first_and_twenty_at_a_time_by_default(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.seed([thread(), *(message(number) for number in range(30))])
    page = client.beta.threads.messages.list("thread_1")
    assert [found.id for found in page.data] == [f"msg_{number}" for number in range(29, 9, -1)]
    assert page.has_more is True


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_auto_paging_meets_every_message_once_in_order(
    sandbox: RunningSandbox, client: OpenAI, order: str
) -> None:
    sandbox.control.seed([thread(), *(message(number) for number in range(25))])
    if order == "asc":
        found = [m.id for m in client.beta.threads.messages.list("thread_1", order="asc", limit=10)]
        assert found == [f"msg_{number}" for number in range(25)]
    else:
        found = [m.id for m in client.beta.threads.messages.list("thread_1", order="desc", limit=10)]
        assert found == [f"msg_{number}" for number in range(24, -1, -1)]


def test_page_names_its_first_and_last_id(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), *(message(number) for number in range(3))])
    page = get(client, "/threads/thread_1/messages?limit=2")
    assert (page["object"], page["first_id"], page["last_id"], page["has_more"]) == (
        "list",
        "msg_2",
        "msg_1",
        True,
    )


def test_ids_of_an_empty_page_are_null(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread()])
    page = get(client, "/threads/thread_1/messages")
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_before_brings_the_page_that_ends_there(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), *(message(number) for number in range(10))])
    page = client.beta.threads.messages.list("thread_1", order="asc", before="msg_7", limit=3)
    assert [found.id for found in page.data] == ["msg_4", "msg_5", "msg_6"]
    assert page.has_more is True


def test_after_and_before_bound_a_page_on_both_sides(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), *(message(number) for number in range(10))])
    page = client.beta.threads.messages.list("thread_1", order="desc", after="msg_8", before="msg_5")
    assert [found.id for found in page.data] == ["msg_7", "msg_6"]


def test_run_id_picks_the_messages_of_a_run(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), message(1), message(2, run_id="run_1"), message(3, run_id="run_2")])
    page = client.beta.threads.messages.list("thread_1", run_id="run_1")
    assert [found.id for found in page.data] == ["msg_2"]


def test_messages_of_one_second_keep_the_order_of_the_list(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), *(message(number, created_at=1_700_000_000) for number in (3, 1, 2))])
    found = [m.id for m in client.beta.threads.messages.list("thread_1", order="asc")]
    assert found == ["msg_3", "msg_1", "msg_2"]


def test_objects_are_served_as_they_came(sandbox: RunningSandbox, client: OpenAI) -> None:
    odd = message(1, status=None, file_ids=["file-1"], unheard_of={"a": [1.0, "\x00", "\ud83d", "שלום"]})
    sandbox.control.seed([thread(), odd])
    assert get(client, "/threads/thread_1/messages/msg_1") == odd


def test_message_is_retrieved_through_the_sdk(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), message(1)])
    found = client.beta.threads.messages.retrieve("msg_1", thread_id="thread_1")
    assert (found.id, found.role, found.content[0].type) == ("msg_1", "user", "text")


def test_assistants_are_listed_and_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed(simple("assistant", f"asst_{n}", n, model="gpt-4o", tools=[]) for n in range(3))
    assert [found.id for found in client.beta.assistants.list(limit=2)] == ["asst_2", "asst_1", "asst_0"]
    assert client.beta.assistants.retrieve("asst_1").model == "gpt-4o"


def test_thread_is_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(metadata={"user": "amina"})])
    assert client.beta.threads.retrieve("thread_1").metadata == {"user": "amina"}


def test_runs_are_listed_and_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), run(1), run(2, status="incomplete")])
    assert [found.id for found in client.beta.threads.runs.list("thread_1")] == ["run_2", "run_1"]
    assert client.beta.threads.runs.retrieve("run_2", thread_id="thread_1").status == "incomplete"


def test_steps_are_listed_and_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), run(1), step(1), step(2)])
    found = client.beta.threads.runs.steps.list("run_1", thread_id="thread_1", order="asc", limit=1)
    assert [entry.id for entry in found] == ["step_1", "step_2"]
    one = client.beta.threads.runs.steps.retrieve("step_2", thread_id="thread_1", run_id="run_1")
    assert one.type == "message_creation"


def test_file_search_contents_are_left_out_unless_included(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), run(1), search_step()])
    page = get(client, "/threads/thread_1/runs/run_1/steps")
    (result,) = page["data"][0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert result == {"file_id": "file-1", "file_name": "rules.md", "score": 0.5}


def test_file_search_contents_come_when_included(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), run(1), search_step()])
    (listed,) = client.beta.threads.runs.steps.list("run_1", thread_id="thread_1", include=[SEARCH_CONTENT])
    one = client.beta.threads.runs.steps.retrieve(
        "step_1", thread_id="thread_1", run_id="run_1", include=[SEARCH_CONTENT]
    )
    assert listed.to_dict() == one.to_dict() == search_step()


def test_files_are_listed_whole_and_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed(simple("file", f"file-{n}", n, filename=f"{n}.txt") for n in range(150))
    page = client.files.list()
    assert (len(page.data), page.has_more) == (150, False)
    assert client.files.retrieve("file-7").filename == "7.txt"


def test_unknown_file_names_its_parameter(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.files.retrieve("file-none")
    assert (refused.value.param, refused.value.type) == ("id", "invalid_request_error")


def test_vector_stores_are_listed_and_retrieved(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([simple("vector_store", "vs_1", name="Rules", status="expired")])
    assert [found.id for found in client.vector_stores.list()] == ["vs_1"]
    assert client.vector_stores.retrieve("vs_1").status == "expired"


def test_threads_can_not_be_listed(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread()])
    with pytest.raises(NotFoundError, match="Invalid URL"):
        get(client, "/threads")


def test_threads_can_be_listed_with_an_api_version_as_in_foundry(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.seed([thread("thread_1"), thread("thread_2")])
    page = get(client, "/threads?api-version=v1&order=asc&limit=1")
    assert ([found["id"] for found in page["data"]], page["has_more"]) == (["thread_1"], True)


@pytest.mark.parametrize(
    "path",
    [
        "/threads/thread_none",
        "/threads/thread_none/messages",
        "/threads/thread_none/runs",
        "/threads/thread_1/messages/msg_none",
        "/threads/thread_1/runs/run_none",
        "/threads/thread_1/runs/run_none/steps",
        "/threads/thread_1/runs/run_1/steps/step_none",
        "/assistants/asst_none",
        "/vector_stores/vs_none",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_a_404_in_the_official_shape(
    sandbox: RunningSandbox, client: OpenAI, path: str
) -> None:
    sandbox.control.seed([thread(), run(1)])
    with pytest.raises(NotFoundError) as refused:
        get(client, path)
    assert set(refused.value.response.json()["error"]) == {"message", "type", "param", "code"}
    assert refused.value.type == "invalid_request_error"


def test_unknown_cursor_is_a_404(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), message(1)])
    with pytest.raises(NotFoundError, match="No message found with id 'msg_none'") as refused:
        client.beta.threads.messages.list("thread_1", after="msg_none")
    assert refused.value.param == "after"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=101", "integer_above_max_value"),
        ("limit=0", "integer_below_min_value"),
        ("limit=ten", "invalid_type"),
        ("order=up", "invalid_value"),
    ],
)
def test_limit_and_order_have_their_bounds(
    sandbox: RunningSandbox, client: OpenAI, query: str, code: str
) -> None:
    sandbox.control.seed([thread()])
    with pytest.raises(BadRequestError) as refused:
        get(client, f"/threads/thread_1/messages?{query}")
    assert refused.value.code == code


def test_api_key_header_is_taken_instead_of_a_bearer_token(sandbox: RunningSandbox) -> None:
    sandbox.control.seed([thread()])
    with httpx2.Client(trust_env=False) as plain:
        found = plain.get(f"{sandbox.base_url}/threads/thread_1", headers={"api-key": "foundry"})
    assert found.status_code == 200
