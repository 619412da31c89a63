"""Asking the target whether the files and vector stores of a thread are still there. Must not import jobs or rq."""

from __future__ import annotations

from migration_app.contracts import Actor
from migration_app.conversion.resources import thread_resources
from migration_app.gateways.connection import Connection
from migration_app.gateways.resources import resource_look
from migration_app.models import Thread
from migration_app.services.assessments import plan_measures
from migration_app.services.audit import audit_event
from migration_app.services.claims import lease_held
from migration_app.services.plans import thread_plan
from migration_app.services.resources import resource_record, resources_to_look_at
from migration_app.services.snapshots import load_source_thread
from migration_app.services.threads import TERMINAL_FIELDS


def thread_check_resources(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Look up what a claimed thread needs, and count what is gone among its findings. The status stays.

    Raises GatewayError and LeaseLostError.
    """
    source = load_source_thread(thread)
    resources = thread_resources(source)
    for resource in resources_to_look_at(resources):
        resource_record(resource, resource_look(connection, kind=resource.kind, resource_id=resource.id))
    measures = plan_measures(thread_plan(thread, source).plan)
    with lease_held(thread):
        Thread.objects.filter(pk=thread.pk).update(
            finding_counts=measures["finding_counts"],
            fidelity=measures["fidelity"],
            **TERMINAL_FIELDS,
        )
        audit_event(
            actor=actor,
            verb="thread.resources_checked",
            subject_kind="thread",
            subject_id=thread.thread_id,
            before=thread.status,
            after=thread.status,
            reason=f"{len(resources)} files and vector stores.",
            batch_pk=thread.batch_id,
        ).save(force_insert=True)
