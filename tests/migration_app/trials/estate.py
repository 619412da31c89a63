"""A thread with tool calls, two versions of a prompt, and try-outs of them. All content is invented."""

from __future__ import annotations

from typing import Any

from migration_app.contracts import Actor
from migration_app.gateways.configured import target_connection
from migration_app.models import Assistant, Prompt, PromptVersion, Thread, Trial
from migration_app.prompts.versions import version_create
from migration_app.tasks.connections import Connections
from migration_app.tasks.turns import Watch
from migration_app.threads.assessments import thread_assess
from migration_app.trials.plan import Settings, TrialPlan, trial_plan
from migration_app.trials.trials import trial_create
from migration_app.trials.work import trial_work
from tests.migration_app.engine.conftest import add_page, message, objects_of
from tests.sandbox import RunningSandbox

ACTOR = Actor("ada", job_id="job-1")
LOOK_UP = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"case": {"type": "integer"}}},
    "strict": False,
}
SPEC: dict[str, Any] = {"model": "gpt-4o", "instructions": "You are the mill's clerk.", "tools": [LOOK_UP]}


def version_made(slug: str = "clerk", **spec: Any) -> PromptVersion:
    """A version of the prompt with this slug, made if it is new."""
    prompt = Prompt.objects.filter(slug=slug).first()
    if prompt is None:
        assistant = Assistant.objects.create(assistant_id=f"asst_{slug}")
        prompt = Prompt.objects.create(slug=slug, name=slug, assistant=assistant)
    made = version_create(prompt=prompt, spec={**SPEC, **spec}, origin="edited", author=ACTOR, note="a test")
    assert made is not None
    return made


def thread_stored(objects: list[dict[str, Any]]) -> Thread:
    """A snapshotted, assessed thread out of API objects, the thread's first."""
    thread = Thread.objects.create(thread_id=objects[0]["id"])
    add_page(thread, objects)
    thread_assess(thread=thread, actor=ACTOR)
    thread.refresh_from_db()
    return thread


def plain_thread(thread_id: str = "thread_1", messages: int = 6) -> Thread:
    """User and assistant in turn."""
    return thread_stored(objects_of(thread_id, messages))


def tool_thread(
    thread_id: str = "thread_tool", *, arguments: str = '{"case": 7.0}', text: str = ""
) -> Thread:
    """One turn in which the original run looked a case up."""
    asked = text or 'Where is case 7? [[call look_up {"case":7}]]'
    run = {
        "id": "run_1",
        "object": "thread.run",
        "thread_id": thread_id,
        "assistant_id": "asst_1",
        "status": "completed",
        "created_at": 1_700_000_000,
        "started_at": 1_700_000_000,
        "completed_at": 1_700_000_004,
        "usage": {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59},
    }
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look_up", "arguments": arguments, "output": '"on the shelf"'},
    }
    steps = [
        {
            "id": "step_1",
            "object": "thread.run.step",
            "run_id": "run_1",
            "thread_id": thread_id,
            "type": "tool_calls",
            "status": "completed",
            "created_at": 1_700_000_000,
            "step_details": {"type": "tool_calls", "tool_calls": [call]},
        },
        {
            "id": "step_2",
            "object": "thread.run.step",
            "run_id": "run_1",
            "thread_id": thread_id,
            "type": "message_creation",
            "status": "completed",
            "created_at": 1_700_000_001,
            "step_details": {
                "type": "message_creation",
                "message_creation": {"message_id": f"msg_{thread_id}_1"},
            },
        },
    ]
    first, *_ = objects_of(thread_id, 0)
    return thread_stored(
        [
            first,
            message(thread_id, 0, asked),
            message(thread_id, 1, "It is on the shelf.", run_id="run_1"),
            run,
            *steps,
        ]
    )


def planned(*threads: Thread, versions: list[PromptVersion], **settings: Any) -> TrialPlan:
    return trial_plan(threads=threads, versions=versions, chosen=Settings(**settings))


def trial_made(
    *threads: Thread,
    version: PromptVersion | None = None,
    against: PromptVersion | None = None,
    max_calls: int = 10_000,
    max_tokens: int = 100_000_000,
    **settings: Any,
) -> Trial:
    version = version or version_made()
    versions = [version] if against is None else [version, against]
    return trial_create(
        version_a=version,
        version_b=against,
        plan=planned(*threads, versions=versions, **settings),
        chosen=Settings(**settings),
        max_calls=max_calls,
        max_tokens=max_tokens,
        reason="a test",
        actor=ACTOR,
    )


def run_trial(trial: Trial, watch: Watch | None = None) -> bool:
    apis = Connections(
        source=lambda: target_connection(timeout_seconds=5),
        target=lambda: target_connection(timeout_seconds=5),
    )
    left = trial_work(pk=trial.pk, actor=ACTOR, apis=apis, watch=watch)
    trial.refresh_from_db()
    return left


def nothing_left(sandbox: RunningSandbox) -> bool:
    """Whether every conversation is deleted, and every item and response with it."""
    state = sandbox.control.state()
    return state.conversations == 0 and state.stored_items == 0
