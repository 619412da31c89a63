"""A reconciliation at work: check after check, page after page, written down with the checkpoint where it resumes.

A page's claims are made from the database, then the API is asked for all of them, a window at a time; then what
differs is looked up in the database once more: a thread that the engine has touched meanwhile is not judged. Reads
only, and through connections that keep to the target's limits. Must not import jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings

from migration_app.contracts import Actor
from migration_app.engine.steps.readback import conversation_read
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.newest import newest_message_id
from migration_app.models import Reconciliation, Thread
from migration_app.reconciliation.claims import (
    Comparison,
    ConversationClaim,
    SnapshotClaim,
    conversation_claim,
    conversation_rests,
    snapshot_behind,
    snapshot_claim,
    snapshot_rests,
)
from migration_app.reconciliation.counters import tallies_check
from migration_app.reconciliation.database import orphans_check, records_check, work_check
from migration_app.reconciliation.kinds import Examined, Found
from migration_app.reconciliation.population import (
    POPULATIONS,
    bounds,
    next_pks,
    sample_pks,
)
from migration_app.reconciliation.records import (
    RECONCILIATIONS,
    Checkpoint,
    checkpoint_of,
    checks_left,
    is_sampled,
    reconciliation_finish,
    step_next,
    step_record,
)
from migration_app.reconciliation.snapshots import objects_check, snapshots_check
from migration_app.tasks.breaker import LASTING
from migration_app.tasks.connections import Connections
from migration_app.tasks.lifecycle import TaskFailedError, WorkerStopError
from migration_app.tasks.turns import Watch

_STRANGERS = 100
"""So many conversations unknown to the target, and not one known: rather the wrong project's key than a loss."""

_PAGE_SIZES = {"records": 2_000, "objects": 200, "snapshots": 50, "live": 200}
_WINDOWS_A_PAGE = 4
_WAVE_BYTES = 16 << 20
"""Bytes of items, as JSON, that are planned at once; what is larger alone goes to a file (``migration_app.spill``)."""

_Claim = TypeVar("_Claim", ConversationClaim, SnapshotClaim)
_Answer = TypeVar("_Answer")


@dataclasses.dataclass(slots=True)
class _Work:
    """One reconciliation in the hands of this process."""

    row: Reconciliation
    apis: Connections
    watch: Watch
    loop: asyncio.Runner
    opened: dict[str, Connection] = dataclasses.field(default_factory=dict)
    failures: int = 0  # of the API, one after another

    def connection(self, name: str) -> Connection:
        """Connect once. Raises GatewayError if the environment does not say where to."""
        if name not in self.opened:
            self.opened[name] = (self.apis.target if name == "target" else self.apis.source)()
        return self.opened[name]


def reconcile_work(
    *, pk: int, actor: Actor, apis: Connections, watch: Watch | None = None, stopped: str = ""
) -> bool:
    """Take a reconciliation and work on it to its end, or until ``watch.stop``. Returns whether work is left.

    One that was stopped is queued again, for any worker, or left in the state ``stopped`` for a person.
    """

    def do(row: Reconciliation) -> None:
        with _opened(row, apis, watch or Watch()) as work:
            for name in checks_left(row, checkpoint_of(row).check):
                if name != row.check_name:
                    step_next(row, check=name)
                _check(work, name)
        reconciliation_finish(row, actor=actor)

    return RECONCILIATIONS.work(pk, do, actor=actor, stopped=stopped)


@contextlib.contextmanager
def _opened(row: Reconciliation, apis: Connections, watch: Watch) -> Iterator[_Work]:
    with asyncio.Runner() as loop:
        work = _Work(row, apis, watch, loop)
        try:
            yield work
        finally:
            for connection in work.opened.values():
                loop.run(connection.close())
            if apis.limiter is not None:
                loop.run(apis.limiter.close())


def _check(work: _Work, name: str) -> None:
    """Do one check from where it is to its end."""
    begun = checkpoint_of(work.row).cursor > 0
    once = _ONCE.get(name)
    if once is not None:
        _pause_point(work.watch)
        if not begun:
            step_record(work.row, checkpoint=Checkpoint(name, 1), looked=once())
        return
    for checkpoint, pks in _pages(work, name):
        step_record(work.row, checkpoint=checkpoint, looked=_LOOKS[name](work, pks))
        work.watch.progress(work.row)
        if name == "target" and not begun:
            _strangers_check(work.row)


def _strangers_check(row: Reconciliation) -> None:
    """Give up where the target knows none of many; a person who resumes it has seen that, and gets them all listed."""
    entry = row.counts["target"]
    missing = entry.get("codes", {}).get("conversation_missing", 0)
    if missing == entry["looked"] >= _STRANGERS:
        raise TaskFailedError(
            f"The target knows none of the first {missing} conversations. Check that OPENAI_API_KEY and "
            "OPENAI_BASE_URL are those of the project that they were created in. If they are really gone, let the "
            "reconciliation: it then lists them all."
        )


def _pages(work: _Work, name: str) -> Iterator[tuple[Checkpoint, list[int]]]:
    """The rest of the check's rows, each page with the checkpoint behind it."""
    row, population = work.row, POPULATIONS[name]
    checkpoint = checkpoint_of(row)
    within = checkpoint.within or bounds(population)
    cursor = checkpoint.cursor
    size = _PAGE_SIZES.get(name, row.window * _WINDOWS_A_PAGE)
    if within[1] < within[0]:
        return
    while True:
        _pause_point(work.watch)
        if is_sampled(row, name) and row.sample_size is not None:
            stop = min(cursor + size, row.sample_size)
            pieces = range(cursor, stop)
            pks = sample_pks(population, within=within, size=row.sample_size, seed=row.seed, pieces=pieces)
            over, cursor = stop >= row.sample_size, stop
        else:
            pks = next_pks(population, after=cursor, upto=within[1], size=size)
            over, cursor = len(pks) < size, pks[-1] if pks else cursor
        yield Checkpoint(name, cursor, within), pks
        if over:
            return


def _pause_point(watch: Watch) -> None:
    if watch.stop():
        raise WorkerStopError


def _target_check(work: _Work, pks: Sequence[int]) -> Examined:
    found, looked, skipped = [], 0, 0
    for wave in _waves(_threads(pks)):
        made = [conversation_claim(thread, quick=work.row.quick) for thread in wave]
        claims = [claim for claim in made if claim is not None]
        looked, skipped = looked + len(claims), skipped + len(made) - len(claims)
        for claim, answer in zip(claims, _ask(work, "target", claims, _conversation_read), strict=True):
            if isinstance(answer, GatewayError):
                found.append(
                    Found("target_unreadable", claim.thread_pk, claim.conversation_id, found=answer.code)
                )
            elif answer is not None and conversation_rests(claim):
                found.append(answer)
            elif answer is not None:  # a worker changed it while it was read: nothing can be said of it
                looked, skipped = looked - 1, skipped + 1
    return Examined(looked, tuple(found), skipped)


def _live_check(work: _Work, pks: Sequence[int]) -> Examined:
    made = [snapshot_claim(thread) for thread in _threads(pks)]
    claims = [claim for claim in made if claim is not None]
    found: list[Found] = []
    changed = 0  # while the source was asked: nothing can be said of them
    for claim, answer in zip(claims, _ask(work, "source", claims, _newest_read), strict=True):
        if isinstance(answer, GatewayError):
            found.append(Found("source_unreadable", claim.thread_pk, found=answer.code))
        elif isinstance(answer, Found):
            found.append(answer)
        elif answer is not None and not snapshot_rests(claim):
            changed += 1
        elif answer is not None and (behind := snapshot_behind(claim, answer)) is not None:
            found.append(behind)
    return Examined(len(claims) - changed, tuple(found), len(made) - len(claims) + changed)


def _threads(pks: Sequence[int]) -> list[Thread]:
    return list(Thread.objects.filter(pk__in=pks).order_by("pk"))


def _waves(threads: Sequence[Thread]) -> Iterator[list[Thread]]:
    """As many threads as their plans may be in memory together."""
    wave: list[Thread] = []
    weight = 0
    for thread in threads:
        if wave and weight + thread.payload_bytes > _WAVE_BYTES:
            yield wave
            wave, weight = [], 0
        wave.append(thread)
        weight += thread.payload_bytes
    if wave:
        yield wave


def _ask(
    work: _Work,
    api: str,
    claims: Sequence[_Claim],
    read: Callable[[Connection, _Claim, Watch], Coroutine[Any, Any, _Answer]],
) -> list[_Answer | GatewayError]:
    """Ask an API about each claim, ``window`` at a time. TaskFailedError when it can't be asked any further."""
    if not claims:
        return []
    try:
        connection = work.connection(api)
    except GatewayError as error:
        raise TaskFailedError(error.text) from None
    answers = work.loop.run(_all(connection, claims, read, work.row.window, work.watch))
    for answer in answers:
        if not isinstance(answer, GatewayError):
            work.failures = 0
            continue
        work.failures += 1
        if answer.code in LASTING or work.failures >= settings.BREAKER_FAILURES:
            text = "" if answer.code in LASTING else f"{work.failures} reads failed, one after another. "
            raise TaskFailedError(f"{text}{answer.text}")
    return answers


async def _all(
    connection: Connection,
    claims: Sequence[_Claim],
    read: Callable[[Connection, _Claim, Watch], Coroutine[Any, Any, _Answer]],
    window: int,
    watch: Watch,
) -> list[_Answer | GatewayError]:
    slots = asyncio.Semaphore(window)

    async def one(claim: _Claim) -> _Answer | GatewayError:
        async with slots:
            if watch.stop():
                raise WorkerStopError
            try:
                return await read(connection, claim, watch)
            except GatewayError as error:
                return error

    reads = [asyncio.ensure_future(one(claim)) for claim in claims]
    try:
        return list(await asyncio.gather(*reads))
    finally:
        for pending in reads:
            pending.cancel()
        await asyncio.gather(*reads, return_exceptions=True)


async def _conversation_read(connection: Connection, claim: ConversationClaim, watch: Watch) -> Found | None:
    comparison = Comparison(claim)
    try:
        await conversation_read(
            connection,
            comparison,
            conversation_id=claim.conversation_id,
            include=claim.include,
            between=lambda: _pause_point(watch),
        )
    except GatewayError as error:
        if error.code != "not_found":
            raise
        return Found(
            "conversation_missing",
            claim.thread_pk,
            claimed=f"{claim.item_count} items in {claim.conversation_id}",
            found=f"the target answers {error.status}",
        )
    return comparison.result()


async def _newest_read(connection: Connection, claim: SnapshotClaim, _watch: Watch) -> str | Found | None:
    try:
        return await newest_message_id(connection, thread_id=claim.thread_id)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        return Found("source_gone", claim.thread_pk, found=f"the source answers {error.status}")


_ONCE: Mapping[str, Callable[[], Examined]] = {
    "work": work_check,
    "tallies": tallies_check,
    "orphans": orphans_check,
}
_LOOKS: Mapping[str, Callable[[_Work, Sequence[int]], Examined]] = {
    "records": lambda _work, pks: records_check(pks),
    "snapshots": lambda _work, pks: snapshots_check(pks),
    "objects": lambda _work, pks: objects_check(pks),
    "target": _target_check,
    "live": _live_check,
}
