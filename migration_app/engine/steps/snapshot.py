"""Fetching a thread from a live source into snapshot pages. Must not import jobs or rq."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Literal

from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.named_files import file_ids
from migration_app.archive.objects import expand
from migration_app.archive.redact import redacted_document
from migration_app.batches.claims import lease_held
from migration_app.contracts import Actor, JsonObject, SourceThread
from migration_app.engine.work import Work
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.source import loose_document, thread_documents
from migration_app.models import SourceObject, Thread
from migration_app.snapshots.source_objects import LooseObject, loose_object, source_objects_store
from migration_app.threads.snapshots import live_snapshot_store

Kind = Literal["assistant", "file"]
_IN_MEMORY = 4 << 20


async def thread_snapshot(work: Work) -> None:
    """Read all of a claimed thread from the source, store it unchanged, and assess it.

    The assistants and files that it names come along, where the console does not have them yet: an assistant
    becomes a prompt, a file gives citations its name. Everything is read before anything is stored: half a
    thread is never a snapshot; a long one waits in a temporary file. Raises GatewayError (``not_found`` when
    the source has no such thread) and LeaseLostError.
    """
    named: dict[Kind, set[str]] = {"assistant": set(), "file": set()}
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for answer in thread_documents(work.connection, thread_id=work.thread.thread_id):
            _remember(spool, answer.raw, answer.request_id)
            _collect(named, answer.value)
        loose: list[LooseObject] = []
        for kind, ids in (await work.database.run(_unknown, named)).items():
            loose += [found async for found in _loose(work.connection, kind, ids)]
        spool.seek(0)
        await work.database.run(_store, work.thread, loose, spool, work.actor)


def _store(thread: Thread, loose: list[LooseObject], spool: IO[bytes], actor: Actor) -> None:
    with lease_held(thread):
        source_objects_store(objects=loose, source_import=None, actor=actor, counts=collections.Counter())
        live_snapshot_store(thread=thread, received=_recall(spool), actor=actor)


def _remember(spool: IO[bytes], raw: bytes, request_id: str) -> None:
    header = request_id.encode()
    spool.write(len(header).to_bytes(2) + len(raw).to_bytes(8) + header + raw)


def _recall(spool: IO[bytes]) -> Iterator[tuple[bytes, str]]:
    while sizes := spool.read(10):
        header = spool.read(int.from_bytes(sizes[:2]))
        yield spool.read(int.from_bytes(sizes[2:])), header.decode()


def _collect(named: dict[Kind, set[str]], value: JsonObject) -> None:
    """Note the assistants and files that an answer names."""
    data = value.get("data")
    objects = (
        tuple(found for found in data if isinstance(found, dict)) if isinstance(data, list) else (value,)
    )
    named["assistant"].update(str(found["assistant_id"]) for found in objects if found.get("assistant_id"))
    named["file"] |= file_ids(SourceThread("", None, objects))


def _unknown(named: dict[Kind, set[str]]) -> dict[Kind, list[str]]:
    """Those of the named ids that can be stored and that the console does not have yet."""
    unknown: dict[Kind, list[str]] = {}
    for kind, ids in named.items():
        storable = {object_id for object_id in ids if object_id.isprintable() and len(object_id) <= 255}
        known = SourceObject.objects.filter(kind=kind, object_id__in=storable)
        unknown[kind] = sorted(storable - set(known.values_list("object_id", flat=True)))
    return unknown


async def _loose(connection: Connection, kind: Kind, object_ids: list[str]) -> AsyncIterator[LooseObject]:
    for object_id in object_ids:
        try:
            answer = await loose_document(connection, kind=kind, object_id=object_id)
        except GatewayError as error:
            if not error.permanent:
                raise
            continue  # deleted, or not for this key: conversion names what is missing
        raw, value, redacted = redacted_document(answer.raw, answer.value)
        for found in expand(value):
            if isinstance(found, Found) and found.kind == kind:
                yield loose_object(found, raw, redacted=redacted)
