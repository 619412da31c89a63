"""Seeds: JSON Lines of API objects, served as they came.

A line holds an assistant, thread, thread.message, thread.run, thread.run.step, file, vector_store or model, a list
(page or array) of them, or a bundle `{"thread": …, "messages": […]}`. A thread's messages may come oldest or newest
first. What a server of these APIs does not hold (stream deltas, deletion notices) is counted, not served.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from console.sandbox.store import Shelf, Source, Stored
from console.sandbox.wire import Json, decode, encode

# Invented selection; one with a shutdown date, as GET /v1/models may show it (spec: Model.shutdown_date).
MODELS: tuple[tuple[str, str | None], ...] = (
    ("gpt-4o", None),
    ("gpt-4o-mini", None),
    ("gpt-4.1", None),
    ("gpt-4.1-mini", None),
    ("gpt-5", None),
    ("gpt-5-mini", None),
    ("o4-mini", "2027-04-30"),
)
MODELS_CREATED = 1_735_689_600
BUNDLE_LISTS = ("messages", "runs", "steps", "run_steps")


class SeedError(ValueError):
    """A seed that can't be read; the message names the place."""


@dataclass(slots=True)
class SeedReport:
    """What became of the lines: objects taken by kind, objects not served by kind."""

    taken: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)


def default_models() -> Iterator[Stored]:
    """Yield the models every sandbox has."""
    for name, shutdown_date in MODELS:
        model: Json = {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "sandbox"}
        if shutdown_date is not None:
            model["shutdown_date"] = shutdown_date
        yield stored_object(model)


def seed_file(source: Source, path: Path) -> SeedReport:
    """Add a JSON Lines file (`.gz` too) to the source; raises SeedError with file and line."""
    with path.open("rb") as file:
        if path.suffix != ".gz":
            return seed_lines(source, file, str(path))
        try:
            with gzip.open(file) as lines:
                return seed_lines(source, lines, str(path))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SeedError(f"{path}: not a whole gzip file ({error})") from error


def seed_lines(source: Source, lines: Iterable[bytes], name: str) -> SeedReport:
    """Add JSON lines to the source; `name` is what errors call them."""
    report = SeedReport()
    batch = _Batch(source, report)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = decode(line)
        except ValueError as error:
            raise SeedError(
                f"{name}, line {number}: not JSON ({error}); one JSON value a line is expected"
            ) from error
        try:
            batch.add(value, None)
        except SeedError as error:
            raise SeedError(f"{name}, line {number}: {error}") from error
    batch.settle()
    return report


def stored_object(value: Json) -> Stored:
    """Return an API object in stored form."""
    label = value["object"]
    return Stored(
        id=value["id"],
        raw=encode(value),
        label=label,
        ref=value.get("run_id"),
        created_at=_time(value.get("created_at")),
        lean=_without_contents(value) if label == "thread.run.step" else None,
    )


class _Batch:
    """Objects on their way in. Shelves are put in order at the end, for one thread's lines may lie anywhere."""

    def __init__(self, source: Source, report: SeedReport) -> None:
        self.source = source
        self.report = report
        self.starts: dict[int, tuple[Shelf, int]] = {}
        self.threads: dict[str, int] = {}

    def add(self, value: object, thread_id: str | None) -> None:
        """Take a line's value; `thread_id` is that of the bundle it came in."""
        if isinstance(value, list):
            for member in value:
                self.add(member, thread_id)
        elif not isinstance(value, dict):
            raise SeedError("expected an API object, a list of them, or a bundle")
        elif isinstance(value.get("data"), list) and value.get("object") in {"list", None}:
            self.add(value["data"], thread_id)
        elif isinstance(value.get("messages"), list) and "thread" in value:
            self._add_bundle(value)
        else:
            self._add_object(value, thread_id)

    def settle(self) -> None:
        """Bring the shelves into order and give threads that only their messages speak of an object."""
        for shelf, start in self.starts.values():
            shelf.settle(start)
        for thread_id, created_at in self.threads.items():
            if thread_id not in self.source.threads:
                thread = {"id": thread_id, "object": "thread", "created_at": created_at}
                self.source.threads.put(stored_object({**thread, "metadata": {}, "tool_resources": {}}))

    def _add_bundle(self, bundle: Json) -> None:
        thread = bundle["thread"]
        thread_id = thread.get("id") if isinstance(thread, dict) else thread
        if not isinstance(thread_id, str):
            raise SeedError("a bundle's thread has no id")
        if isinstance(thread, dict):
            self._add_object({"object": "thread", **thread}, None)
        for name in BUNDLE_LISTS:
            self.add(bundle.get(name) or [], thread_id)

    def _add_object(self, value: Json, thread_id: str | None) -> None:
        label, object_id = value.get("object"), value.get("id")
        if not isinstance(label, str) or not isinstance(object_id, str):
            raise SeedError("an API object needs the strings 'object' and 'id'")
        shelf = None if value.get("deleted") else self._shelf(value, label, thread_id)
        if shelf is None:
            self.report.ignored[label] += 1
            return
        self.starts.setdefault(id(shelf), (shelf, shelf.end))
        shelf.put(stored_object(value))
        self.report.taken[label] += 1

    def _shelf(self, value: Json, label: str, bundle_thread: str | None) -> Shelf | None:
        """Return where an object of that kind stands; None: nowhere."""
        tops = {
            "assistant": self.source.assistants,
            "thread": self.source.threads,
            "file": self.source.files,
            "vector_store": self.source.vector_stores,
            "model": self.source.models,
        }
        if label in tops:
            return tops[label]
        if label == "thread.run.step":
            run_id = value.get("run_id")
            return self.source.steps[run_id] if isinstance(run_id, str) else None
        thread_id = value.get("thread_id") or bundle_thread
        if not isinstance(thread_id, str) or label not in {"thread.message", "thread.run"}:
            return None
        self.threads.setdefault(thread_id, _time(value.get("created_at")) or 0)
        owners = self.source.messages if label == "thread.message" else self.source.runs
        return owners[thread_id]


def _time(value: object) -> int | None:
    """Read a timestamp; dumps made by people hold some as text."""
    if isinstance(value, int | float):
        return int(value)
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _without_contents(step: Json) -> bytes | None:
    """Return the step as it is served to those who don't ask for file search contents; None: it has none."""
    details = step.get("step_details")
    calls = details.get("tool_calls") if isinstance(details, dict) else None
    if not isinstance(calls, list):
        return None
    lean_calls = [_without_content(call) for call in calls]
    if lean_calls == calls:
        return None
    return encode({**step, "step_details": {**(details or {}), "tool_calls": lean_calls}})


def _without_content(call: object) -> object:
    search = call.get("file_search") if isinstance(call, dict) else None
    results = search.get("results") if isinstance(search, dict) else None
    if not isinstance(call, dict) or not isinstance(search, dict) or not isinstance(results, list):
        return call
    lean = [
        {name: field for name, field in result.items() if name != "content"}
        if isinstance(result, dict)
        else result
        for result in results
    ]
    return {**call, "file_search": {**search, "results": lean}}
