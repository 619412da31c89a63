"""A chat application after the cut-over: it continues its users' threads.

Needs Python 3.11, the openai package, and what the console exports:

    manage.py export_mapping -o mapping.csv      which conversation a thread became
    manage.py export_prompts prompts             one Python module for each assistant, beside this file

    python chat.py load mapping.csv              into the application's own table; again after each export
    python chat.py say THREAD_ID "Where is my order?"

The key comes from OPENAI_API_KEY, as with any use of the openai package.
"""

# ruff: noqa: INP001, T201 - a stand-alone script that prints to its user
from __future__ import annotations

import argparse
import csv
import dataclasses
import importlib
import inspect
import json
import pkgutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openai import BadRequestError, OpenAI
from openai.types.responses import Response

MAX_TOOL_ROUNDS = 8

# --- the application's own functions, which its prompts name --------------------------------------


def order_status(order: str) -> dict[str, str]:
    """Return the status of an order. A real application asks its database here."""
    return {"order": order, "status": "on its way"}


TOOLS: Mapping[str, Callable[..., object]] = {"order_status": order_status}

# Values of placeholders in instructions ({{ company }}), for prompts that have any.
VARIABLES: Mapping[str, str] = {"company": "Meadow & Sons"}


# --- which conversation a thread is ----------------------------------------------------------------


COLUMNS = ("thread_id", "conversation_id", "status", "fidelity", "assistant_id", "resources")


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """What a thread became. ``resources``: files and vector stores that it needs besides its assistant's."""

    conversation_id: str
    assistant_id: str
    fidelity: str
    resources: str


class NotMovedError(LookupError):
    """The thread can't be continued; says what to do."""


def mapping_load(database: sqlite3.Connection, path: str) -> int:
    """Put the exported mapping into a table; rows that stand are replaced. Returns how many came."""
    with database, Path(path).open(encoding="utf-8", newline="") as lines:
        database.execute(
            "CREATE TABLE IF NOT EXISTS moved (thread_id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL,"
            " status TEXT NOT NULL, fidelity TEXT NOT NULL, assistant_id TEXT NOT NULL, resources TEXT NOT NULL)"
        )
        rows = ([plain(row[name]) for name in COLUMNS] for row in csv.DictReader(lines))
        return database.executemany("INSERT OR REPLACE INTO moved VALUES (?, ?, ?, ?, ?, ?)", rows).rowcount


def plain(cell: str) -> str:
    """Take away the apostrophe that keeps spreadsheets from running a cell as a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in set("=+-@\t\r") else cell


def conversation_of(database: sqlite3.Connection, thread_id: str) -> Moved:
    """Look a thread up. NotMovedError if it can't be continued."""
    found = database.execute(
        "SELECT status, conversation_id, assistant_id, fidelity, resources FROM moved WHERE thread_id = ?",
        (thread_id,),
    ).fetchone()
    if found is None:
        raise NotMovedError(f"{thread_id} is not in the mapping: is it a thread, and was it exported?")
    status, *moved = found
    # Only verified threads are complete: a thread of any other status may be partly sent.
    if status != "verified":
        raise NotMovedError(
            f"{thread_id} is {status}: ask operations to finish it, then load the mapping again."
        )
    return Moved(*moved)


# --- what the assistant became ---------------------------------------------------------------------


def prompt_of(assistant_id: str) -> dict[str, Any]:
    """Keyword arguments of the exported prompt that was made of an assistant.

    An application with one assistant writes instead: ``from prompts.support_desk import create_kwargs``.
    """
    for module in exported_prompts():
        if assistant_id == module.ASSISTANT_ID:
            wanted = inspect.signature(module.create_kwargs).parameters
            kwargs: dict[str, Any] = module.create_kwargs(**{name: VARIABLES[name] for name in wanted})
            return kwargs
    raise NotMovedError(
        f"No exported prompt was made of {assistant_id}: activate it and export prompts again."
    )


def with_stores(prompt: Mapping[str, Any], resources: str) -> dict[str, Any]:
    """The arguments with the thread's own vector stores in file search, where its users' files are."""
    own = [word.partition(":")[2] for word in resources.split() if word.startswith("vector_store:")]
    tools = [
        {**tool, "vector_store_ids": list(dict.fromkeys([*tool["vector_store_ids"], *own]))}
        if tool["type"] == "file_search"
        else tool
        for tool in prompt.get("tools", [])
    ]
    return {**prompt, "tools": tools} if tools else dict(prompt)


def exported_prompts() -> Iterator[Any]:
    """Import every module of the package ``prompts``."""
    for entry in pkgutil.iter_modules(importlib.import_module("prompts").__path__):
        yield importlib.import_module(f"prompts.{entry.name}")


# --- a turn ------------------------------------------------------------------------------------------


def turn(client: OpenAI, prompt: Mapping[str, Any], conversation_id: str, text: str) -> str:
    """Send what the user wrote, run the functions that the model asks for, and return its answer."""
    said: list[Any] = [{"role": "user", "content": text}]
    response: Response
    try:
        response = client.responses.create(**prompt, conversation=conversation_id, input=said)
    except BadRequestError:
        # A turn that ended between a call and its output leaves the call open, and every later turn is refused.
        open_now = open_calls(client, conversation_id)
        lost: list[Any] = [output(call_id, {"error": "The call was interrupted."}) for call_id in open_now]
        if not lost:
            raise
        response = client.responses.create(**prompt, conversation=conversation_id, input=[*lost, *said])
    for left in reversed(range(MAX_TOOL_ROUNDS)):
        outputs: list[Any] = [
            output(call.call_id, run_tool(call.name, call.arguments))
            for call in response.output
            if call.type == "function_call"
        ]
        if not outputs:
            break
        # No call may be left open, so in the last round the model has to answer in text.
        last: dict[str, Any] = {} if left else {"tool_choice": "none"}
        response = client.responses.create(**{**prompt, **last}, conversation=conversation_id, input=outputs)
    return response.output_text


def run_tool(name: str, arguments: str) -> object:
    """Run one of the application's functions. Errors are returned to the model, and nothing is invented."""
    function = TOOLS.get(name)
    if function is None:
        return {"error": f"There is no function {name}."}
    try:
        return function(**json.loads(arguments))
    except (TypeError, ValueError, LookupError) as error:
        return {"error": f"{name} failed: {error}"}


def output(call_id: str, result: object) -> dict[str, str]:
    """The item that answers a call."""
    return {"type": "function_call_output", "call_id": call_id, "output": json.dumps(result)}


def open_calls(client: OpenAI, conversation_id: str) -> list[str]:
    """Ids of the conversation's newest calls that nobody has answered, oldest first."""
    newest = client.conversations.items.list(conversation_id, order="desc", limit=100).data
    answered = {item.call_id for item in newest if item.type == "function_call_output"}
    return [
        item.call_id
        for item in reversed(newest)
        if item.type == "function_call" and item.call_id not in answered
    ]


def main() -> int:
    """Load a mapping, or say something in a thread's conversation."""
    parser = argparse.ArgumentParser(description="Continue threads that became conversations.")
    parser.add_argument("--database", default="chat.db", help="the application's own table (SQLite)")
    commands = parser.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", help="load an exported mapping")
    load.add_argument("mapping")
    say = commands.add_parser("say", help="say something")
    say.add_argument("thread_id")
    say.add_argument("text")
    options = parser.parse_args()
    database = sqlite3.connect(options.database)
    if options.command == "load":
        print(f"{mapping_load(database, options.mapping)} threads are known.")
        return 0
    try:
        moved = conversation_of(database, options.thread_id)
        prompt = with_stores(prompt_of(moved.assistant_id), moved.resources)
    except NotMovedError as error:
        print(error, file=sys.stderr)
        return 1
    if moved.fidelity == "lossy":
        print("Some of this thread could not be moved; the console's findings say what.", file=sys.stderr)
    # A turn must not be repeated blindly: if the answer got lost, the message is in the conversation.
    print(turn(OpenAI(max_retries=0), prompt, moved.conversation_id, options.text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
