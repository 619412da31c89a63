"""The soak's own process with Django: makes threads and batches, and looks whether all is whole."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connection

from bench.children import answer_commands
from bench.threads import console
from migration_app.batches.control import batch_resume
from migration_app.models import Batch, Conversation, OrphanConversation, Thread
from tests.chaos.invariants import estate_troubles, verified_troubles
from tests.sandbox import Control


def migrate() -> dict[str, Any]:
    """Make the schema."""
    call_command("migrate", verbosity=0)
    return {}


def state(*, batch: int) -> dict[str, Any]:
    """The batch's state."""
    return {"state": Batch.objects.values_list("state", flat=True).get(pk=batch)}


def resume(*, batch: int) -> dict[str, Any]:
    """Let a batch go on that the breaker has paused."""
    batch_resume(batch_pk=batch, actor=console.ACTOR, reason="the soak")
    return {}


def troubles(*, losing: bool) -> dict[str, Any]:
    """What is wrong with all threads there are, and how many they are.

    ``losing``: the target lost or mixed up things, so threads may be with a person; what is verified must be true.
    """
    control = Control(f"{os.environ['OPENAI_BASE_URL'].removesuffix('/v1')}/_sandbox")
    threads = list(Thread.objects.all())
    return {
        "troubles": verified_troubles(control, threads) if losing else estate_troubles(control, threads),
        "threads": len(threads),
        "verified": sum(thread.status == Thread.Status.VERIFIED for thread in threads),
        "items": sum(Conversation.objects.values_list("item_count", flat=True)),
        "lost creates": OrphanConversation.objects.count(),
    }


def _anew(command: Callable[..., Any]) -> Callable[..., Any]:
    """With a new connection each time: the server may have been killed since the last."""

    @functools.wraps(command)
    def call(**arguments: Any) -> Any:
        connection.close()
        return command(**arguments)

    return call


if __name__ == "__main__":
    commands: dict[str, Callable[..., Any]] = {
        "migrate": migrate,
        "clear": console.clear,
        "seed": console.seed,
        "enqueue": console.enqueue,
        "state": state,
        "resume": resume,
        "troubles": troubles,
    }
    answer_commands({name: _anew(command) for name, command in commands.items()})
