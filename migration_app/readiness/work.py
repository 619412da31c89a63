"""Readiness checks at work: ask the target for its models, vector stores and files; count calls in the snapshots.

Reads only. No transaction is open while the target is asked: answers are gathered, then written. Must not import jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from django.db import transaction

from migration_app.contracts import Actor
from migration_app.conversion.resources import Liveness, Resource
from migration_app.gateways.connection import Connection
from migration_app.gateways.models_list import models_list
from migration_app.gateways.resources import resource_check
from migration_app.models import ReadinessCheck
from migration_app.prompts.needs import needs_fill
from migration_app.readiness.checklist import resources_named
from migration_app.readiness.checks import CHECKS, check_finish
from migration_app.readiness.function_calls import calls_count
from migration_app.readiness.target_models import target_models_record
from migration_app.tasks.connections import Connections
from migration_app.tasks.lifecycle import WorkerStopError
from migration_app.threads.resources import resource_record, resources_to_check

_WAVE = 32
"""Checks in flight at once; their answers are written before the next are requested."""


def readiness_work(*, kind: str, actor: Actor, apis: Connections, stop: Callable[[], bool] = bool) -> bool:
    """Do a check that was asked for to its end or until ``stop``. Returns whether work is left.

    An unreachable target ends the check as failed, with a text; earlier results stay.
    """
    pk = ReadinessCheck.objects.filter(kind=kind).values_list("pk", flat=True).first()
    if pk is None:
        return False

    def do(row: ReadinessCheck) -> None:
        needs_fill()
        if row.kind == ReadinessCheck.Kind.TARGET:
            text = _target_check(row, actor=actor, apis=apis, stop=stop)
        elif calls_count(row, stop=stop):
            text = f"{row.done} threads."
        else:
            raise WorkerStopError
        check_finish(row, actor=actor, text=text)

    return CHECKS.work(pk, do, actor=actor)


def _target_check(row: ReadinessCheck, *, actor: Actor, apis: Connections, stop: Callable[[], bool]) -> str:
    """Check all; those checked within the last hour are skipped. WorkerStopError after ``stop``."""
    with apis.target_opened() as (loop, connection):
        listed = loop.run(models_list(connection))
        with transaction.atomic():
            CHECKS.write(row)
            models = target_models_record(listed=listed, actor=actor)
        wanted = resources_to_check(resources_named())
        for start in range(0, len(wanted), _WAVE):
            wave = wanted[start : start + _WAVE]
            looked = loop.run(_wave(connection, wave))
            with transaction.atomic():
                CHECKS.write(row, done=start + len(wave), total=len(wanted), cursor=0)
                for resource, status in zip(wave, looked, strict=True):
                    resource_record(resource, status)
            if stop():
                raise WorkerStopError
    return f"{models} models listed; {len(wanted)} vector stores and files checked."


async def _wave(connection: Connection, wave: Sequence[Resource]) -> list[Liveness]:
    """What the target says of each. GatewayError: the first, when all have ended."""
    answers = await asyncio.gather(
        *(resource_check(connection, kind=each.kind, resource_id=each.id) for each in wave),
        return_exceptions=True,
    )
    looked: list[Liveness] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        looked.append(answer)
    return looked
