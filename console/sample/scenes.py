"""From a plan of a thread (who said what, which tools ran) to the API objects the thread left behind.

Standard library only; must not import Django.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from console.sample import objects
from console.sample.company import ASSISTANTS
from console.sample.objects import JsonObject, number, object_id, with_changes


@dataclass(frozen=True)
class Said:
    """One message: its parts, and what differs from a plain message."""

    content: tuple[JsonObject, ...]
    changes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """What the user said, the run it started, the tool calls of each of its steps, and the answers."""

    user: tuple[Said, ...] = ()
    answers: tuple[Said, ...] = ()
    tools: tuple[tuple[JsonObject, ...], ...] = ()
    run: Mapping[str, object] = field(default_factory=dict)
    tool_step: Mapping[str, object] = field(default_factory=dict)
    runs: bool = True
    answers_kept: bool = True


@dataclass(frozen=True)
class Scene:
    """A thread; `started` in Unix seconds, `records` says whether the archive kept runs and steps too."""

    key: str
    assistant: str
    started: int
    turns: tuple[Turn, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    records: bool = True
    statuses: bool = False
    order: Literal["oldest first", "newest first"] = "oldest first"
    same_second: bool = False

    @property
    def thread_id(self) -> str:
        """The id of the thread the scene becomes."""
        return object_id("thread", self.key)


def plain(value: str, **changes: object) -> Said:
    """A message of one text part without annotations."""
    return spoken(objects.text(value), **changes)


def spoken(*content: JsonObject, **changes: object) -> Said:
    """A message of those parts, with those keys of the wire set."""
    return Said(content, changes)


def talk(question: str, answer: str) -> Turn:
    """A question and its answer, nothing else."""
    return Turn((plain(question),), (plain(answer),))


def _words(said: Said) -> int:
    return len(str(said.content)) // 6


@dataclass
class _Written:
    """What has been written of the thread so far; `clock` is in Unix seconds."""

    clock: int
    spoken: int = 0
    messages: list[JsonObject] = field(default_factory=list)
    records: list[JsonObject] = field(default_factory=list)


def _write_message(
    scene: Scene, written: _Written, said: Said, role: str, at: int, *, of_run: JsonObject | None = None
) -> str:
    message_id = object_id("msg", scene.key, written.spoken)
    written.spoken += 1
    shape = objects.message(message_id, scene.thread_id, at, role, said.content)
    if of_run is not None:
        shape |= {"assistant_id": of_run["assistant_id"], "run_id": of_run["id"]}
    if scene.statuses:
        shape |= {
            "status": "completed",
            "completed_at": at,
            "incomplete_at": None,
            "incomplete_details": None,
        }
    written.messages.append(with_changes(shape, said.changes))
    return message_id


def _write_turn(scene: Scene, written: _Written, turn: Turn, index: int) -> None:
    for position, said in enumerate(turn.user):
        if position and not scene.same_second:
            written.clock += 4 + number(40, scene.key, index, position)
        _write_message(scene, written, said, "user", written.clock)
    if not turn.runs:
        for said in turn.answers:
            _write_message(scene, written, said, "assistant", written.clock)
        return
    asked_at = written.clock + 1
    at = asked_at + 1 + number(8, scene.key, index, "thinking")
    of_run = objects.run(
        object_id("run", scene.key, index), scene.thread_id, asked_at, at, ASSISTANTS[scene.assistant]
    )
    steps: list[JsonObject] = []
    for calls in turn.tools:
        details: JsonObject = {"type": "tool_calls", "tool_calls": list(calls)}
        step_id = object_id("step", scene.key, index, len(steps))
        steps.append(with_changes(objects.step(step_id, of_run, at, details), turn.tool_step))
        at += 2 + number(5, scene.key, index, at)
    for said in turn.answers:
        message_id = _write_message(scene, written, said, "assistant", at, of_run=of_run)
        if not turn.answers_kept:
            written.messages.pop()
        created: JsonObject = {"type": "message_creation", "message_creation": {"message_id": message_id}}
        steps.append(objects.step(object_id("step", scene.key, index, len(steps)), of_run, at, created))
        at += 1 + _words(said) // 40
    prompt = 350 + 40 * len(written.messages)
    finished = {
        "completed_at": at,
        "usage": objects.usage(prompt, sum(_words(said) for said in turn.answers)),
    }
    if scene.records:
        written.records += [with_changes(of_run | finished, turn.run), *steps]
    written.clock = at


def render(scene: Scene) -> list[JsonObject]:
    """The thread's objects as lines of an archive: thread, messages, runs and steps; or these first."""
    written = _Written(clock=scene.started)
    for index, turn in enumerate(scene.turns):
        _write_turn(scene, written, turn, index)
        # Most people answer within minutes; now and then one comes back another day.
        pause = 20 + number(400, scene.key, index, "pause")
        written.clock += pause if number(12, scene.key, index, "later") else pause * 300
    thread: JsonObject = {
        "id": scene.thread_id,
        "object": "thread",
        "created_at": scene.started,
        "metadata": dict(scene.metadata),
        "tool_resources": {},
    }
    thread = with_changes(thread, scene.changes)
    messages, records = written.messages, written.records
    if scene.order == "newest first":
        messages, records = messages[::-1], records[::-1]
    # An archive's kinds of objects come in any order: every ninth thread has its runs first and itself last.
    if number(9, scene.key, "order") == 0:
        return [*records, *messages, thread]
    return [thread, *messages, *records]
