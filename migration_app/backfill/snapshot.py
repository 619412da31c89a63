"""Fetching a thread from a live source into snapshot pages. Must not import jobs or rq."""

from __future__ import annotations

from migration_app.contracts import Actor
from migration_app.gateways.connection import Connection
from migration_app.gateways.source import thread_documents
from migration_app.models import SnapshotPage, Thread
from migration_app.services.assessments import thread_assess
from migration_app.services.claims import lease_held
from migration_app.services.snapshots import snapshot_pages_append
from migration_app.services.threads import TERMINAL_FIELDS


def thread_snapshot(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Read all of a claimed thread from the source, store it unchanged, and assess it.

    Everything is read before anything is stored: half a thread is never a snapshot. Raises GatewayError
    (``not_found`` when the source has no such thread) and LeaseLostError.
    """
    received = list(thread_documents(connection, thread_id=thread.thread_id))
    with lease_held(thread):
        snapshot_pages_append(
            thread=thread,
            kind=SnapshotPage.Kind.LIVE,
            origin=f"live-{thread.lease_token}",
            order="asc",
            received=[(document.raw, document.request_id) for document in received],
        )
        thread_assess(thread=thread, actor=actor, reason="Read from the live source.", fields=TERMINAL_FIELDS)
