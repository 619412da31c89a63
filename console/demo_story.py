"""What has happened before a visitor of the demo signs in: an operation with progress, trouble and open decisions.

Everything is done as the people of the demo would do it, through the console's own services, with its real workers
against the sandbox. The trouble is made where it comes from in real life: at the target, by an application or a
careless hand, and at the source, where a thread grew. Nothing is written to the tables by hand.
"""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from django.core.management import call_command

from console.demo import DemoError
from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.imports.imports import import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.jobs import enqueue
from migration_app.models import Batch, Conversation, PromptVersion, SourceImport, Thread
from migration_app.prompts.review import version_submit
from migration_app.prompts.versions import version_create
from migration_app.reconciliation.records import reconciliation_create
from migration_app.reconciliation.tasks import RECONCILIATION_TASK
from migration_app.threads.selections import selection_of_pks

_WAIT_SECONDS = 180.0
_ENDED = {Batch.State.FINISHED, Batch.State.FAILED, Batch.State.PAUSED, Batch.State.WAITING}
_MIGRATED = 130
_REFUSED = 3
_PAUSED = 12
_ROLLED_BACK = 24

_BROKEN_EXPORT = (
    b'{"id": "thread_from_march", "object": "thread", "created_at": 1709280000, "metadata": {"shop": "Harbour"}}\n'
    b'{"id": "msg_1", "object": "thread.message", "thread_id": "thread_from_march", "role": "user", "created_at": '
    b'1709280001, "content": [{"type": "text", "text": {"value": "Is the north pier open?", "annotations": []}}]}\n'
    b'{"id": "msg_2", "object": "thread.message", "thread_id": "thread_from_march", "role": "assi\n'
    b'{"id": null, "object": "thread.message", "thread_id": "thread_from_march", "role": "user", "content": []}\n'
)
"""An export that broke off in the middle of a line, with a message that lost its id."""


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """``base_url``: of the sandbox, which is source and target. The two people: who works, and who asks for more."""

    base_url: str
    operator: Actor
    admin: Actor

    def tell(self) -> None:
        """Do it all. Needs running workers. DemoError if a part does not end."""
        self._prompts()
        self._batch("backfill", self._ready(_MIGRATED), "first wave: shops on the coast")
        self._trouble()
        self._refused()
        self._paused()
        self._batch("rollback", self._verified(_ROLLED_BACK), "imported under the wrong policies", self.admin)
        self._rejects()
        self._reconciliation()

    # --- assistants ----------------------------------------------------------------------------

    def _prompts(self) -> None:
        """Every assistant is converted; an edit of the first prompt waits for somebody else's approval."""
        call_command("convert_assistants", all=True, reason="demo", verbosity=0)
        first = PromptVersion.objects.order_by("prompt__slug", "-number").first()
        if first is None:
            return
        edited = version_create(
            prompt=first.prompt,
            spec=first.spec | {"temperature": 0.2},
            origin=PromptVersion.Origin.EDITED,
            author=self.operator,
            note="Calmer answers at the desk.",
        )
        if edited is not None:
            version_submit(
                version_pk=edited.pk, actor=self.operator, comment="Tried on 20 threads; please check."
            )

    # --- what others do ------------------------------------------------------------------------

    def _trouble(self) -> None:
        """Some conversations are no longer what was sent, some threads grew: each reason for a review occurs."""
        threads = self._verified(12)
        altered, deleted, continued, grown = threads[:2], threads[2], threads[3:6], threads[3:11]
        for pk in altered:
            conversation = self._conversation(pk)
            items = self._call("GET", f"{conversation}/items?order=asc")["data"]
            self._call("DELETE", f"{conversation}/items/{items[1]['id']}")
        self._call("DELETE", self._conversation(deleted))
        for pk in continued:
            asked = {"type": "message", "role": "user", "content": "Are you still there?"}
            self._call("POST", f"{self._conversation(pk)}/items", {"items": [asked]})
        self._grow(grown)
        self._batch("backfill", [*continued, *grown[-2:]], "append what came in since")
        self._batch("accept", continued[:1], "the application has gone on by itself")
        self._grow(continued[:1])
        self._batch("verify", [*self._verified(40), *altered, deleted], "weekly check of the first wave")

    def _grow(self, threads: Iterable[int]) -> None:
        """These threads get one more message at the source; a snapshot notices."""
        threads = list(threads)
        for pk in threads:
            thread_id = Thread.objects.values_list("thread_id", flat=True).get(pk=pk)
            self._call(
                "POST",
                f"/_sandbox/threads/{quote(thread_id, safe='')}/messages",
                {"role": "user", "text": "One more question: when do you open on Sundays?"},
            )
        self._batch("snapshot", threads, "what came in since the first wave")

    # --- batches with trouble --------------------------------------------------------------------

    def _refused(self) -> None:
        """The target refuses what a few threads send."""
        self._faulty("quoted:POST .*/items")
        self._batch(
            "backfill", self._ready(_REFUSED), "second wave: the first three, to see that all is well"
        )
        self._call("DELETE", "/_sandbox/faults")

    def _paused(self) -> None:
        """The key is withdrawn in the middle of a batch, which pauses itself; then the key works again."""
        self._faulty("unauthorized:POST .*")
        self._batch("backfill", self._ready(_PAUSED), "second wave: inland shops")
        self._call("DELETE", "/_sandbox/faults")

    # --- the rest --------------------------------------------------------------------------------

    def _rejects(self) -> None:
        """An export arrives that broke off, and in which a customer's thread has been deleted."""
        (last,) = Thread.objects.filter(pk__in=self._verified(1)).values_list("thread_id", flat=True)
        deletion = {"id": last, "object": "thread.deleted", "deleted": True}
        received = import_receive(
            kind="archive",
            file_name="export-march.jsonl",
            chunks=[_BROKEN_EXPORT, json.dumps(deletion).encode() + b"\n"],
            actor=self.operator,
            reason="the rest of March",
        )
        enqueue(IMPORT_TASK, received.pk)
        self._until(
            lambda: SourceImport.objects.get(pk=received.pk).state in {"finished", "failed"}, "the import"
        )

    def _reconciliation(self) -> None:
        row = reconciliation_create(sample_size=30, reason="before the hand-off", actor=self.operator)
        enqueue(RECONCILIATION_TASK, row.pk)

    # --- helpers ---------------------------------------------------------------------------------

    def _ready(self, count: int) -> list[int]:
        return self._threads(Thread.Status.SNAPSHOTTED, count)

    def _verified(self, count: int) -> list[int]:
        return self._threads(Thread.Status.VERIFIED, count)

    @staticmethod
    def _conversation(thread_pk: int) -> str:
        """The address of a thread's conversation."""
        return f"/conversations/{Conversation.objects.get(thread_id=thread_pk).conversation_id}"

    @staticmethod
    def _threads(status: str, count: int) -> list[int]:
        found = Thread.objects.filter(status=status, pending_work="", message_count__gte=2).order_by("pk")
        return list(found.values_list("pk", flat=True)[:count])

    def _batch(self, kind: str, threads: Iterable[int], reason: str, actor: Actor | None = None) -> None:
        """Start a batch as a person does, and wait until nothing of it is under way."""
        batch = batch_create(
            kind=kind, selection=selection_of_pks(list(threads)), actor=actor or self.operator, reason=reason
        )
        enqueue(BATCH_TASK, batch.pk)
        self._until(lambda: Batch.objects.get(pk=batch.pk).state in _ENDED, str(batch))

    @staticmethod
    def _until(is_over: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not is_over():
            if time.monotonic() > end:
                raise DemoError(f"{what} did not end: see the workers' output above")
            time.sleep(0.1)

    def _faulty(self, spec: str) -> None:
        self._call("POST", "/_sandbox/faults", {"spec": spec})

    def _call(self, method: str, path: str, body: object = None) -> Any:
        root = self.base_url.removesuffix("/v1") if path.startswith("/_sandbox") else self.base_url
        request = urllib.request.Request(  # noqa: S310 - our own sandbox's address
            root + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer sk-demo-application", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.loads(answer.read())
