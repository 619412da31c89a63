"""Reading assistants from the live source. Reads only; must not import jobs or rq."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.objects import expand
from migration_app.archive.redact import redacted_document
from migration_app.contracts import Actor
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError, NotConfiguredError
from migration_app.gateways.source import loose_document
from migration_app.models import Assistant
from migration_app.prompts.assistant_checks import check_end, check_record, checks_waiting

_GROUP = 20

Asked = tuple[str, Answer | GatewayError]


def checks_work(*, connect: Callable[[], Connection], actor: Actor, stop: threading.Event) -> None:
    """Check every assistant that waits for it. A failed check is recorded; a new request retries it."""
    while not stop.is_set():
        ids = checks_waiting(_GROUP)
        if not ids:
            return
        try:
            answers = asyncio.run(_ask(connect, ids))
        except NotConfiguredError as error:
            for assistant_id in ids:
                _fail(assistant_id, str(error), "not_configured", actor)
            continue
        for assistant_id, answer in answers:
            _record(assistant_id, answer, actor)


async def _ask(connect: Callable[[], Connection], ids: list[str]) -> list[Asked]:
    async with connect() as connection:

        async def one(assistant_id: str) -> Asked:
            try:
                return assistant_id, await loose_document(
                    connection, kind="assistant", object_id=assistant_id
                )
            except GatewayError as error:
                return assistant_id, error

        return list(await asyncio.gather(*map(one, ids)))


def _record(assistant_id: str, answer: Answer | GatewayError, actor: Actor) -> None:
    if isinstance(answer, GatewayError):
        if answer.code == "not_found":
            text = "The source has no such assistant any more."
            outcome = Assistant.SourceCheck.MISSING
            check_end(assistant_id=assistant_id, outcome=outcome, text=text, code=answer.code, actor=actor)
        else:
            _fail(assistant_id, answer.text, answer.code, actor)
        return
    raw, value, redacted = redacted_document(answer.raw, answer.value)
    for found in expand(value):
        if isinstance(found, Found) and found.kind == "assistant" and found.id == assistant_id:
            check_record(assistant_id=assistant_id, found=found, raw=raw, redacted=redacted, actor=actor)
            return
    text = "The source answered with something that is not this assistant."
    _fail(assistant_id, text, "unreadable_answer", actor)


def _fail(assistant_id: str, text: str, code: str, actor: Actor) -> None:
    check_end(
        assistant_id=assistant_id,
        outcome=Assistant.SourceCheck.FAILED,
        text=text.replace("\x00", ""),
        code=code,
        actor=actor,
    )
