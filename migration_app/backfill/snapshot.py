"""Fetching a thread from a live source into snapshot pages. Must not import jobs or rq."""

from __future__ import annotations

from migration_app.contracts import Actor
from migration_app.gateways.connection import Connection
from migration_app.gateways.source import thread_documents
from migration_app.models import Thread
from migration_app.services.claims import lease_held
from migration_app.services.snapshots import live_snapshot_store


def thread_snapshot(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Read all of a claimed thread from the source, store it unchanged, and assess it.

    Everything is read before anything is stored: half a thread is never a snapshot. Raises GatewayError
    (``not_found`` when the source has no such thread) and LeaseLostError.
    """
    received = [
        (answer.raw, answer.request_id) for answer in thread_documents(connection, thread_id=thread.thread_id)
    ]
    with lease_held(thread):
        live_snapshot_store(thread=thread, received=received, actor=actor)
