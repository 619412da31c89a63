"""Makes the sample's files: `python -m console.sample.build` writes them beside this module.

The same code gives the same bytes, so a changed sample shows as a diff of code. Standard library only;
must not import Django, and nothing of the application outside `console.sample`.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from console.sample.company import ASSISTANTS, FILES, VECTOR_STORES, moment
from console.sample.objects import JsonObject, number, object_id, pick
from console.sample.quirky_endings import quirky_endings
from console.sample.quirky_messages import dialogue, quirky_messages, user
from console.sample.quirky_runs import quirky_runs
from console.sample.scenes import Scene, Turn, render

THREADS: Final = 200
LISTED: Final = 20
HOUR: Final = 3600


def everyday(index: int, days_apart: float) -> Scene:
    """One of the ordinary threads: 1 to 10 turns, a few unanswered, two in five without runs and steps."""
    key = f"everyday-{index}"
    assistant = pick(("desk", "desk", "desk", "trips", "ledger", "kueche"), key, "assistant")
    first_hours = int(index * days_apart * 24) + number(60, key, "hour")
    turns = dialogue(assistant, key, 1 + number(10, key, "turns"))
    if number(10, key, "unanswered") == 0:
        question = turns[-1].user[0]
        turns = (*turns[:-1], Turn((question,), runs=False))
    if number(7, key, "message metadata") == 0:
        device = pick(("phone", "web", "till"), key)
        marked = replace(turns[0].user[0], changes={"metadata": {"device": device}})
        turns = (replace(turns[0], user=(marked,)), *turns[1:])
    metadata = user(100 + number(90, key, "user"))
    if number(3, key, "channel") == 0:
        metadata["channel"] = pick(("web", "app", "store tablet"), key)
    if number(25, key, "no metadata") == 0:
        metadata = {}
    # The same thread answered `{}` or empty lists, depending on how it was asked for.
    filled: JsonObject = {"code_interpreter": {"file_ids": []}}
    return Scene(
        key,
        assistant,
        moment("2024-05-02") + first_hours * HOUR + number(HOUR, key, "second"),
        turns,
        metadata,
        {"tool_resources": filled} if number(4, key, "resources") == 0 else {},
        records=number(5, key, "records") < 3,
        statuses=number(10, key, "statuses") == 0,
    )


def scenes() -> tuple[Scene, ...]:
    """The 200 threads in order of their start, from May 2024 (one from February) to August 2026."""
    quirky = (*quirky_messages(), *quirky_runs(), *quirky_endings())
    ordinary = THREADS - len(quirky)
    days = (moment("2026-08-15") - moment("2024-05-02")) / 86_400
    plans = (*quirky, *(everyday(index, days / ordinary) for index in range(ordinary)))
    return tuple(sorted(plans, key=lambda scene: scene.started))


def estate() -> list[JsonObject]:
    """Every object of the archive, in the order of its lines."""
    company = [*ASSISTANTS.values(), *FILES, *VECTOR_STORES]
    return [*company, *(line for scene in scenes() for line in render(scene))]


def json_lines(lines: Iterable[JsonObject]) -> bytes:
    """The objects as UTF-8 JSON Lines."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def packed(content: bytes) -> bytes:
    """The content as gzip without a time or a name, so that the same content gives the same bytes."""
    target = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=target, mtime=0) as archive:
        archive.write(content)
    return target.getvalue()


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return target.getvalue().encode()


def thread_ids() -> bytes:
    """Ids of 19 threads of the estate and of one that does not exist."""
    plans = scenes()
    chosen = [
        plan
        for plan in plans
        if plan.key in {"long", "parallel-calls", "citations", "empty-thread", "broken"}
    ]
    chosen += [plan for plan in plans if plan.key.startswith("everyday-") and plan.metadata][
        : LISTED - 1 - len(chosen)
    ]
    rows = [
        (plan.thread_id, plan.metadata["user_id"], str(ASSISTANTS[plan.assistant]["id"])) for plan in chosen
    ]
    gone = (object_id("thread", "never-there"), "user_0099", str(ASSISTANTS["desk"]["id"]))
    return _table(("thread_id", "user_ref", "assistant_id"), [*rows, gone])


def transcripts() -> bytes:
    """Four transcripts as JSON Lines: plain strings, parts, metadata, and an unanswered one."""
    parts = [
        {"type": "text", "text": "Does this lid fit?"},
        {
            "type": "image_url",
            "image_url": {"url": "https://pictures.quillhaven.example/lid.jpg", "detail": "low"},
        },
    ]
    return json_lines(
        (
            {
                "thread_id": "chat-2026-0001",
                "messages": [
                    {"role": "user", "content": "Is the fish kettle oven-proof?"},
                    {"role": "assistant", "content": "Yes, without its wooden grip, up to 220 degrees."},
                    {"role": "user", "content": "Lovely, thanks 🐟"},
                    {"role": "assistant", "content": "Enjoy your dinner!"},
                ],
                "user_ref": "user_0301",
                "metadata": {"channel": "web"},
            },
            {
                "thread_id": "chat-2026-0002",
                "messages": [
                    {"role": "user", "content": parts},
                    {"role": "assistant", "content": [{"type": "text", "text": "It does: both are 24 cm."}]},
                ],
                "user_ref": "user_0302",
            },
            {
                "thread_id": "chat-2026-0003",
                "messages": [
                    {"role": "user", "content": "Haben Sie Backpapier?"},
                    {"role": "assistant", "content": "Ja, in Bögen und auf der Rolle."},
                ],
            },
            {
                "thread_id": "chat-2026-0004",
                "messages": [{"role": "user", "content": "هل المتجر مفتوح اليوم؟"}],
            },
        )
    )


def transcripts_table() -> bytes:
    """Two transcripts as CSV; the second without times and message ids."""
    return _table(
        ("thread_id", "role", "content", "created_at", "message_id", "user_ref"),
        (
            ("till-0001", "user", "Can I pay with two cards?", "2026-05-04T09:15:02Z", "m-1", "user_0311"),
            (
                "till-0001",
                "assistant",
                'Yes. Say "split" at the till.',
                "2026-05-04T09:15:06Z",
                "m-2",
                "user_0311",
            ),
            ("till-0001", "user", "And with a voucher,\ntoo?", "2026-05-04T09:16:40Z", "m-3", "user_0311"),
            (
                "till-0001",
                "assistant",
                "One voucher per purchase.",
                "2026-05-04T09:16:44Z",
                "m-4",
                "user_0311",
            ),
            ("till-0002", "user", "=SUM of my purchases, please", "", "", "user_0312"),
            ("till-0002", "assistant", "Three purchases, 118.40 in all.", "", "", "user_0312"),
        ),
    )


def contents() -> dict[str, bytes]:
    """Every bundled file by name, as it should be on the disk."""
    return {
        "estate.jsonl.gz": packed(json_lines(estate())),
        "transcripts.jsonl": transcripts(),
        "transcripts.csv": transcripts_table(),
        "thread_ids.csv": thread_ids(),
    }


def write(folder: Path) -> None:
    """Writes every bundled file into the folder."""
    for name, content in contents().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(Path(__file__).parent)
