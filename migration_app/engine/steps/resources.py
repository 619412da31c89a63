"""Asking the target whether the files and vector stores of a thread are still there. Must not import jobs or rq."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from migration_app.contracts import SourceThread, ThreadPlan
from migration_app.conversion.resources import Resource, thread_resources
from migration_app.engine.steps.records import work_ended
from migration_app.engine.work import Work
from migration_app.gateways.resources import resource_check
from migration_app.models import BatchResult, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.assessments import plan_measures
from migration_app.threads.plans import thread_plan
from migration_app.threads.resources import resource_record, resources_to_check


async def thread_check_resources(work: Work) -> None:
    """Check what a claimed thread needs, and count what is missing among its findings. The status stays.

    Raises GatewayError and LeaseLostError.
    """
    source, resources, wanted = await work.database.run(_needed, work.thread)
    for resource in wanted:
        await _checked_resource(work, resource)
    measures = plan_measures(await work.database.run(_plan, work.thread, source))
    work.entry.set(finding_counts=measures["finding_counts"], fidelity=measures["fidelity"])
    work.entry.event("thread.resources_checked", reason=f"{len(resources)} files and vector stores.")
    work_ended(work.entry, BatchResult.Result.CHECKED)
    await work.write()


async def _checked_resource(work: Work, resource: Resource) -> None:
    """Wait until the resource was checked in this turn, by the first thread that needed it."""
    key = (resource.kind, resource.id)
    look = work.looks.get(key)
    if look is None or (look.done() and (look.cancelled() or look.exception() is not None)):
        look = work.looks[key] = asyncio.create_task(_look(work, resource))
    await asyncio.shield(look)


async def _look(work: Work, resource: Resource) -> None:
    status = await resource_check(work.connection, kind=resource.kind, resource_id=resource.id)
    await work.database.run(resource_record, resource, status)


def _needed(thread: Thread) -> tuple[SourceThread, Sequence[Resource], Sequence[Resource]]:
    source = load_source_thread(thread)
    resources = thread_resources(source)
    return source, resources, resources_to_check(resources)


def _plan(thread: Thread, source: SourceThread) -> ThreadPlan:
    return thread_plan(thread, source).plan
