"""Black-box runs: threads, real workers, a target that misbehaves; judged by what the target holds at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import django_rq
from django.conf import settings
from django.db import connection

from migration_app.batches.batches import batch_create
from migration_app.batches.control import batch_resume
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue, workers_alive
from migration_app.models import Batch, Thread
from migration_app.threads.assessments import thread_assess
from migration_app.threads.selections import selection_of_filters
from tests.chaos.killable import Workers
from tests.end_to_end.foreign_target import ForeignTarget
from tests.end_to_end.verdicts import TextsOf, Verdict, judged
from tests.migration_app.engine.conftest import add_page, message, objects_of

ACTOR = Actor("ada")
LEAST_SHARE = 0.95
PATIENCE_SECONDS = 180.0
TIMEOUT_SECONDS = 290
"""Of one test: it must end in order before pytest's own dump of all stacks does it, which leaves workers behind."""
SIZES = (5, 21, 25, 41, 45)
"""Messages of the threads, in turn. Those of 21 and 41 end in a chunk that is the user's alone: none of its items has
an id of ours, so no repeat of it is refused anywhere."""


def planned_texts(thread_id: str, messages: int) -> list[str]:
    return [f"{thread_id}: {number}" for number in range(messages)]


def make_threads(count: int, sizes: Sequence[int] = SIZES) -> tuple[list[Thread], dict[str, list[str]]]:
    """Threads with snapshots, no two messages alike; and their texts by thread id."""
    threads: list[Thread] = []
    planned: dict[str, list[str]] = {}
    for number in range(count):
        thread_id = f"thread_{number:03}"
        texts = planned_texts(thread_id, sizes[number % len(sizes)])
        thread = Thread.objects.create(thread_id=thread_id)
        head = objects_of(thread_id, 0)
        add_page(thread, [*head, *(message(thread_id, place, text) for place, text in enumerate(texts))])
        thread_assess(thread=thread, actor=ACTOR)
        threads.append(thread)
        planned[thread_id] = texts
    return threads, planned


@dataclasses.dataclass(slots=True)
class Run:
    """One run. ``pauses``: how often the breaker paused the batch, which a person then resumed.

    ``freezes``: how often a worker that froze itself was continued when all that it held had been taken over.
    """

    threads: list[Thread]
    planned: dict[str, list[str]]
    workers: Workers
    pauses: int = 0
    freezing: bool = False
    freezes: int = 0
    left_behind: set[uuid.UUID | None] | None = None

    def start_workers(
        self, count: int = 2, *, first_freezes: Sequence[str] = (), alive: int | None = None
    ) -> None:
        """Start workers, and wait until all are there. ``first_freezes``: where the first freezes itself."""
        ready = count if alive is None else alive
        self.freezing = bool(first_freezes)
        for number in range(count):
            self.workers.start(freezes=() if number else first_freezes)
        self.workers.wait_until(
            lambda: (workers_alive() or 0) >= ready, seconds=PATIENCE_SECONDS, what=f"{ready} workers"
        )

    def start(self, kind: str = "backfill", *, window: int = 16, **settings_of_batch: Any) -> Batch:
        """Put all threads into a batch."""
        batch = batch_create(
            kind=kind,
            selection=selection_of_filters({}),
            actor=ACTOR,
            reason="a test",
            window=window,
            **settings_of_batch,
        )
        enqueue(BATCH_TASK, batch.pk)
        return batch

    def wait(self, batch: Batch, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the batch is finished, but no longer: what is not done by then counts as not verified.

        Resumes it whenever the breaker has paused it.
        """

        def finished() -> bool:
            self._thaw_what_was_left_behind()
            state = Batch.objects.values_list("state", flat=True).get(pk=batch.pk)
            if state == Batch.State.PAUSED:
                self.pauses += 1
                batch_resume(batch_pk=batch.pk, actor=ACTOR, reason="a test")
                enqueue(BATCH_TASK, batch.pk)
            return bool(state == Batch.State.FINISHED)

        with contextlib.suppress(TimeoutError):
            self.workers.wait_until(finished, seconds=seconds, what="the batch to finish")

    def _thaw_what_was_left_behind(self) -> None:
        """Continue the first worker when others have taken over every thread that was held while it froze."""
        if not self.freezing or not self.workers.is_frozen(0):
            return
        held = set(Thread.objects.exclude(lease_token=None).values_list("lease_token", flat=True))
        if self.left_behind is None:
            self.left_behind = held
        elif not self.left_behind & held:
            self.left_behind = None
            self.freezes += 1
            self.workers.thaw(0)

    def verdict(self, texts_of: TextsOf) -> Verdict:
        """Judge all threads."""
        return judged(self.threads, self.planned, texts_of)


def settled(target: ForeignTarget) -> None:
    """Wait until nothing is on its way at the target any more."""
    end = time.monotonic() + 60
    while target.late_pending:
        assert time.monotonic() < end
        time.sleep(0.1)


def quiet(target: ForeignTarget, seconds: float = 6.0) -> None:
    """Wait until nobody has asked the target anything for so long."""
    end = time.monotonic() + 120
    seen, since = target.requests, time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < end
        time.sleep(0.1)
        if target.requests != seen:
            seen, since = target.requests, time.monotonic()


@contextlib.contextmanager
def run_at(
    url: str,
    *,
    count: int,
    lease_seconds: int,
    timeout_seconds: int = 2,
    requests_per_minute: int = 0,
    sizes: Sequence[int] = SIZES,
    **environment: str,
) -> Iterator[Run]:
    """Threads in this test's database, and workers (none started yet) that speak to the target at ``url``."""
    database = settings.DATABASES["default"]
    password, host, port = database["PASSWORD"], database["HOST"], database["PORT"]
    queue = django_rq.get_queue("default")
    queue.connection.flushdb()
    workers = Workers(
        {
            "CONSOLE_ENV_FILE": "",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "DATABASE_URL": f"postgresql://{database['USER']}:{password}@{host}:{port}/{connection.settings_dict['NAME']}",
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": url,
            "OPENAI_ORG_ID": "",
            "OPENAI_PROJECT_ID": "",
            "LEASE_SECONDS": str(lease_seconds),
            "HTTP_TIMEOUT_SECONDS": str(timeout_seconds),
            "TARGET_REQUESTS_PER_MINUTE": str(requests_per_minute),
            "MAX_ATTEMPTS": "20",
            "LOG_LEVEL": "CRITICAL",
            **environment,
        },
        sweep_seconds=2,
    )
    try:
        yield Run(*make_threads(count, sizes), workers)
    finally:
        workers.close()
        queue.connection.flushdb()


def assert_kept(run: Run, texts_of: TextsOf, *, least_share: float = LEAST_SHARE) -> None:
    """Nothing verified is false, and enough is verified. Says in a line how it was, whatever it was."""
    verdict = run.verdict(texts_of)
    said = f"{verdict.text()}; {run.pauses} pauses by the breaker, {run.freezes} freezes"
    print(f"\n{said}")  # noqa: T201 - what a run amounts to is its figures
    assert verdict.false == 0, said
    assert verdict.share >= least_share, said
