"""The archives that are imported hold what they are said to hold, in either shape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, cast

import pytest

from bench.files import archives, imports_console
from console.sample.objects import JsonObject

THREADS = 12


def documents(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_both_shapes_hold_the_same_objects(tmp_path: Path) -> None:
    lines, pages = (tmp_path / "lines.gz", tmp_path / "pages.gz")
    held = archives.write(path=str(lines), threads=THREADS, shape="JSON lines")
    paged = archives.write(path=str(pages), threads=THREADS, shape="list pages")

    listed = [found for document in documents(pages) for found in document.get("data", [document])]
    assert sorted(found["id"] for found in listed) == sorted(found["id"] for found in documents(lines))
    assert held | {"bytes": 0} == paged | {"bytes": 0}
    assert held["thread"] == THREADS
    assert held["bytes"] == len(gzip.decompress(lines.read_bytes()))


def test_a_longer_list_says_that_it_continues() -> None:
    objects: list[JsonObject] = [{"id": f"msg_{number}", "object": "thread.message"} for number in range(130)]
    pages = [
        (len(cast("list[JsonObject]", page["data"])), page["has_more"]) for page in archives._pages(objects)
    ]
    assert pages == [(100, True), (30, False)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", archives.SHAPES)
def test_an_import_takes_all_of_it(tmp_path: Path, shape: str) -> None:
    path = str(tmp_path / "archive.jsonl.gz")
    held = archives.write(path=path, threads=THREADS, shape=shape)

    counts = imports_console.archive_import(path=path)["counts"]

    assert {kind: counts[name] for kind, name in (("thread", "threads"), ("thread.message", "messages"))} == {
        kind: held[kind] for kind in ("thread", "thread.message")
    }
    assert (counts["runs"], counts["steps"]) == (held["thread.run"], held["thread.run.step"])
