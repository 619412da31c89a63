"""Readiness checks at work: ask the target for its models, vector stores and files; count calls in the snapshots.

Reads only. No transaction is open while the target is asked: answers are gathered, then written. Must not import jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence

from django.db import InterfaceError, OperationalError, transaction

from migration_app.contracts import Actor
from migration_app.conversion.resources import Liveness, Resource
from migration_app.engine.runner import Connections
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.models_list import models_list
from migration_app.gateways.resources import resource_look
from migration_app.models import ReadinessCheck
from migration_app.prompts.needs import needs_fill
from migration_app.readiness.checklist import resources_named
from migration_app.readiness.checks import (
    CheckLostError,
    check_claim,
    check_fail,
    check_finish,
    check_hold,
    check_progress,
    check_put_down,
)
from migration_app.readiness.function_calls import calls_count
from migration_app.readiness.target_models import target_models_record
from migration_app.threads.resources import resource_record, resources_to_look_at

logger = logging.getLogger(__name__)

_WAVE = 32
"""Look-ups on their way at once; their answers are written before the next are asked for."""


def readiness_work(*, kind: str, actor: Actor, apis: Connections, stop: Callable[[], bool] = bool) -> bool:
    """Do a check that was asked for, in the name of who asked, to its end or until ``stop``. Returns if work is left.

    A target that can't be asked ends the check as failed, in words; what was known before stays.
    """
    row = check_claim(kind)
    if row is None:
        return False
    actor = dataclasses.replace(actor, name=row.requested_by_name)
    try:
        return _done(row, actor=actor, apis=apis, stop=stop)
    except CheckLostError:
        logger.warning("the check of %s was taken over by another worker", kind)
        return False


def _done(row: ReadinessCheck, *, actor: Actor, apis: Connections, stop: Callable[[], bool]) -> bool:
    try:
        if row.kind == ReadinessCheck.Kind.TARGET:
            words = _target_look(row, actor=actor, apis=apis, stop=stop)
        else:
            needs_fill()
            words = f"{row.done} threads." if calls_count(row, stop=stop) else ""
    except GatewayError as error:
        check_fail(row, text=error.text)
        return False
    except (CheckLostError, OperationalError, InterfaceError):
        raise  # in other hands; or it stays as it is, and is taken up again when the database is back
    except Exception as bug:
        fault = f"A fault of the console ({type(bug).__name__}); its log says where. Nothing was changed."
        with contextlib.suppress(CheckLostError):
            check_fail(row, text=fault)
        raise
    if not words:
        check_put_down(row)
        return True
    check_finish(row, actor=actor, words=words)
    return False


def _target_look(row: ReadinessCheck, *, actor: Actor, apis: Connections, stop: Callable[[], bool]) -> str:
    """Ask for all; what was looked at within the last hour is not asked for again. Empty if it was stopped."""
    needs_fill()
    with asyncio.Runner() as loop:
        connection = apis.target()
        try:
            listed = loop.run(models_list(connection))
            with transaction.atomic():
                check_hold(row)
                models = target_models_record(listed=listed, actor=actor)
            wanted = resources_to_look_at(resources_named())
            for start in range(0, len(wanted), _WAVE):
                wave = wanted[start : start + _WAVE]
                looked = loop.run(_looks(connection, wave))
                with transaction.atomic():
                    check_progress(row, done=start + len(wave), total=len(wanted))
                    for resource, status in zip(wave, looked, strict=True):
                        resource_record(resource, status)
                if stop():
                    return ""
        finally:
            loop.run(connection.close())
            if apis.limiter is not None:
                loop.run(apis.limiter.close())
    return f"{models} models listed; {len(wanted)} vector stores and files looked at."


async def _looks(connection: Connection, wave: Sequence[Resource]) -> list[Liveness]:
    """What the target says of each. GatewayError: the first, when all have ended."""
    answers = await asyncio.gather(
        *(resource_look(connection, kind=each.kind, resource_id=each.id) for each in wave),
        return_exceptions=True,
    )
    looked: list[Liveness] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        looked.append(answer)
    return looked
