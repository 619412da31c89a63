"""Archives to import, and reading them alone: gzip and the standard library's JSON, nothing kept.

python -m bench.files.archives       commands as lines of JSON, see bench.children

The threads are the ordinary ones of the sample estate, as many as asked for: one to ten turns, three in five with runs
and steps, some with tool calls, citations and metadata. Must not import Django or the application.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.children import answer_commands
from bench.measure import Spending
from console.sample.build import everyday
from console.sample.company import ASSISTANTS, FILES, VECTOR_STORES
from console.sample.objects import JsonObject
from console.sample.scenes import render

SHAPES = ("JSON lines", "list pages")
_DAYS = 800
_PAGE = 100


def write(*, path: str, threads: int, shape: str) -> dict[str, int]:
    """Write an archive, compressed; returns its size as it is read, and how many objects of each kind it holds."""
    counts: Counter[str] = Counter()
    with gzip.open(path, "wb", compresslevel=6) as file:
        for line in _lines(threads, shape, counts):
            raw = json.dumps(line, ensure_ascii=False).encode() + b"\n"
            counts["bytes"] += len(raw)
            file.write(raw)
    return dict(counts)


def _lines(threads: int, shape: str, counts: Counter[str]) -> Iterator[JsonObject]:
    """Every document of the archive; ``counts`` learns of each object."""
    yield from (*ASSISTANTS.values(), *FILES, *VECTOR_STORES)
    for index in range(threads):
        objects = render(everyday(index, _DAYS / threads))
        counts.update(str(found["object"]) for found in objects)
        yield from objects if shape == SHAPES[0] else _pages(objects)


def _pages(objects: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """The same as answers of the API: the thread alone, then its lists, those of steps by run."""
    for (kind, _run), found in itertools.groupby(objects, _list_of):
        if kind == "thread":
            yield from found
            continue
        rest = list(found)
        while rest:
            page, rest = rest[:_PAGE], rest[_PAGE:]
            ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"], "has_more": bool(rest)}
            yield {"object": "list", "data": page, **ends}


def _list_of(found: JsonObject) -> tuple[Any, Any]:
    kind = found["object"]
    return kind, found["run_id"] if kind == "thread.run.step" else None


def read(*, path: str) -> dict[str, float]:
    """Read an archive alone; returns wall and CPU seconds."""
    with Spending() as spent, gzip.open(Path(path), "rb") as file:
        for line in file:
            json.loads(line)
    return spent.seconds()


if __name__ == "__main__":
    answer_commands({"write": write, "read": read})
