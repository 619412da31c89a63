"""Rows to test with: the plainest valid one of each model, to be varied by keyword. Numbers, no random data."""

from __future__ import annotations

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from migration_app.archive.sequence import payload_compress, payload_sha256, sequence_pack
from migration_app.models import (
    Assistant,
    Batch,
    Conversation,
    SnapshotPage,
    SourceImport,
    SourceObject,
    Thread,
)


class AssistantFactory(DjangoModelFactory[Assistant]):
    class Meta:
        model = Assistant

    assistant_id = Sequence("asst_{:06d}".format)


class ThreadFactory(DjangoModelFactory[Thread]):
    class Meta:
        model = Thread

    thread_id = Sequence("thread_{:06d}".format)


class ConversationFactory(DjangoModelFactory[Conversation]):
    """An open one, whose id is held."""

    class Meta:
        model = Conversation

    thread = SubFactory(ThreadFactory)
    conversation_id = Sequence("conv_{:06d}".format)
    state = Conversation.State.OPEN
    intended_at = LazyFunction(timezone.now)
    mapped_at = LazyAttribute(lambda made: getattr(made, "verified_at", None))


class BatchFactory(DjangoModelFactory[Batch]):
    class Meta:
        model = Batch

    kind = Batch.Kind.BACKFILL
    filter = LazyFunction(dict)
    max_thread_pk = 0
    reason = "test"
    created_by_name = "ada"


class SourceImportFactory(DjangoModelFactory[SourceImport]):
    """A running one."""

    class Meta:
        model = SourceImport

    kind = SourceImport.Kind.ARCHIVE
    state = SourceImport.State.RUNNING
    file_name = "archive.jsonl"
    created_by_name = "ada"
    started_at = LazyFunction(timezone.now)
    heartbeat_at = SelfAttribute("started_at")


class SnapshotPageFactory(DjangoModelFactory[SnapshotPage]):
    """A page of raw JSON texts (``documents``), behind the thread's other pages."""

    class Meta:
        model = SnapshotPage

    class Params:
        documents = (b"{}",)
        packed = LazyAttribute(lambda page: sequence_pack(page.documents))

    thread = SubFactory(ThreadFactory)
    sequence = LazyAttribute(lambda page: page.thread.pages.count())
    kind = SnapshotPage.Kind.ARCHIVE
    origin = "import-0"
    payload = LazyAttribute(lambda page: payload_compress(page.packed))
    sha256 = LazyAttribute(lambda page: payload_sha256(page.packed))
    raw_bytes = LazyAttribute(lambda page: len(page.packed))
    document_count = LazyAttribute(lambda page: len(page.documents))


class SourceObjectFactory(DjangoModelFactory[SourceObject]):
    """A file object; ``raw`` is what the source said of it."""

    class Meta:
        model = SourceObject

    class Params:
        raw = b'{"object": "file"}'

    kind = "file"
    object_id = Sequence("file-{:06d}".format)
    payload = LazyAttribute(lambda row: payload_compress(row.raw))
    sha256 = LazyAttribute(lambda row: payload_sha256(row.raw))
