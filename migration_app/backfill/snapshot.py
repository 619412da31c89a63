"""Fetching a thread from a live source into snapshot pages. Must not import jobs or rq."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from typing import Literal

from migration_app.archive.objects import SourceObject as Found
from migration_app.archive.objects import expand
from migration_app.archive.redact import redacted_document
from migration_app.contracts import Actor, JsonObject, SourceThread
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.source import loose_document, thread_documents
from migration_app.models import SourceObject, Thread
from migration_app.services.claims import lease_held
from migration_app.services.pages import file_ids
from migration_app.services.snapshots import live_snapshot_store
from migration_app.services.source_objects import LooseObject, loose_object, source_objects_store


def thread_snapshot(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Read all of a claimed thread from the source, store it unchanged, and assess it.

    The assistants and files that it names come along, where the console does not have them yet: an assistant
    becomes a prompt, a file gives citations its name. Everything is read before anything is stored: half a
    thread is never a snapshot. Raises GatewayError (``not_found`` when the source has no such thread) and
    LeaseLostError.
    """
    answers = list(thread_documents(connection, thread_id=thread.thread_id))
    loose = list(_named(thread, answers, connection))
    with lease_held(thread):
        source_objects_store(objects=loose, source_import=None, actor=actor, counts=collections.Counter())
        live_snapshot_store(
            thread=thread, received=[(answer.raw, answer.request_id) for answer in answers], actor=actor
        )


def _named(thread: Thread, answers: Sequence[Answer], connection: Connection) -> Iterator[LooseObject]:
    objects = tuple(found for answer in answers for found in _objects(answer.value))
    wanted: dict[Literal["assistant", "file"], set[str]] = {
        "assistant": {str(found["assistant_id"]) for found in objects if found.get("assistant_id")},
        "file": file_ids(SourceThread(thread.thread_id, None, objects)),
    }
    for kind, ids in wanted.items():
        storable = sorted(object_id for object_id in ids if object_id.isprintable() and len(object_id) <= 255)
        known = set(
            SourceObject.objects.filter(kind=kind, object_id__in=storable).values_list("object_id", flat=True)
        )
        for object_id in storable:
            if object_id not in known:
                yield from _loose(connection, kind, object_id)


def _objects(value: JsonObject) -> list[JsonObject]:
    data = value.get("data")
    return [found for found in data if isinstance(found, dict)] if isinstance(data, list) else [value]


def _loose(
    connection: Connection, kind: Literal["assistant", "file"], object_id: str
) -> Iterator[LooseObject]:
    try:
        answer = loose_document(connection, kind=kind, object_id=object_id)
    except GatewayError as error:
        if not error.permanent:
            raise
        return  # deleted, or not for this key: conversion names what is missing
    raw, value, redacted = redacted_document(answer.raw, answer.value)
    for found in expand(value):
        if isinstance(found, Found) and found.kind == kind:
            yield loose_object(found, raw, redacted=redacted)
