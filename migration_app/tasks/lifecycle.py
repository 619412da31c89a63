"""The life of a task's row: claimed, written to, handed back, ended. All moves of all subjects, fenced alike.

A claim is one conditional UPDATE that sets a new token; every later write names that token, so a holder that was
taken for dead, or whose task a person stopped, can write nothing more: ``TaskLostError``. All times are the database's.
An audited transition writes its event in the same transaction. Calls no API. Must not import rq.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.gateways.errors import GatewayError
from migration_app.models.task import Task

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Task)

RUNNING, FINISHED, FAILED = "running", "finished", "failed"
"""What these states are called is the same for every kind of task."""

TEXT_LENGTH = 4_000


class TaskLostError(Exception):
    """The task is no longer in this holder's hands: stopped by a person, taken over, or deleted."""


class TaskFailedError(Exception):
    """The task can't continue. The text is for operators."""


class WorkerStopError(Exception):
    """This worker is to stop: the task is handed back, for the next one to resume."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Generic[T]):
    """One kind of row. A subject declares it once, and names only what differs.

    ``verbs``: what the audit trail calls each move, by the state that it leads to; one without a verb is not audited.
    ``stale``: a holder that is silent for so long has lost its worker. ``held``: states in which somebody may hold
    a task. ``narrowed``: a further condition for claiming one.
    """

    model: type[T]
    stale: dt.timedelta
    verbs: Mapping[str, str]
    subject: str
    subject_id: Callable[[T], str] = lambda row: str(row.pk)
    queued: str = "queued"
    stopped: str = "stopped"
    held: frozenset[str] = frozenset({RUNNING})
    narrowed: Callable[[], Q] = Q

    @property
    def rows(self) -> QuerySet[T]:
        """All tasks of this kind."""
        return QuerySet(self.model)

    def claimable(self) -> QuerySet[T]:
        """Those that a worker may take: queued, or held by nobody who lives."""
        abandoned = Q(claim_token=None) | Q(heartbeat_at__lt=Now() - self.stale)
        free = Q(state=self.queued) | (Q(state__in=self.held) & abandoned)
        return self.rows.filter(free, self.narrowed())

    def waiting(self) -> list[int]:
        """Primary keys of those that a worker should take."""
        return list(self.claimable().order_by("pk").values_list("pk", flat=True))

    def claim(self, pk: int, **changes: Any) -> T | None:
        """Take one, or None: it is over, or somebody else has it. A state other than queued is kept.

        A row that is locked is alive, however old the heartbeat that others see: its holder is in a long transaction.
        """
        free = self.claimable().select_for_update(skip_locked=True, no_key=True).filter(pk=pk)
        with transaction.atomic():
            taken = self.rows.filter(pk__in=free.values("pk")).update(
                state=self._moved(self.queued, RUNNING),
                claim_token=uuid.uuid4(),
                started_at=Coalesce(F("started_at"), Now()),
                heartbeat_at=Now(),
                **changes,
            )
        return self.rows.get(pk=pk) if taken else None

    def held_by(self, row: T) -> QuerySet[T]:
        """The row as far as it is in this holder's hands: it, or nothing."""
        if row.claim_token is None:
            return self.rows.none()
        return self.rows.filter(pk=row.pk, claim_token=row.claim_token, state__in=self.held)

    def write(self, row: T, **changes: Any) -> None:
        """Write to it, which is a heartbeat too and fences the current transaction. TaskLostError if it is not ours."""
        if self.held_by(row).update(heartbeat_at=Now(), **changes) != 1:
            raise self.lost(row)
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):
                setattr(row, name, value)

    def lost(self, row: T) -> TaskLostError:
        """Why it is not ours any more: the reason of the person who stopped it, if there is one."""
        kept = self.rows.filter(pk=row.pk, state=self.stopped).values_list("error_text", flat=True).first()
        return TaskLostError(kept or "Another worker has taken it over, or it was stopped or deleted.")

    def hand_back(self, row: T, *, state: str = "", **changes: Any) -> None:
        """Leave it unfinished to the next worker, or in ``state``. TaskLostError if it is not ours."""
        to = Value(state) if state else self._moved(RUNNING, self.queued)
        self.write(row, state=to, claim_token=None, **changes)

    def end(
        self, row: T, state: str, *, actor: Actor, reason: str = "", error_text: str = "", **changes: Any
    ) -> None:
        """Close it in this state; the audit trail keeps ``reason``, else why it ended early. TaskLostError."""
        text = storable_text(error_text, TEXT_LENGTH)
        with transaction.atomic():
            self.write(row, state=state, claim_token=None, finished_at=Now(), error_text=text, **changes)
            self._tell(row, self.verbs.get(state, ""), actor, reason or text)
        row.refresh_from_db()

    def finish(self, row: T, *, actor: Actor, reason: str = "", **changes: Any) -> None:
        """Close it as done. TaskLostError if it is not ours."""
        self.end(row, FINISHED, actor=actor, reason=reason, **changes)

    def fail(self, row: T, *, error_text: str, actor: Actor, **changes: Any) -> None:
        """Close it with a reason; what it did so far stays. TaskLostError if it is not ours."""
        self.end(row, FAILED, actor=actor, error_text=error_text, **changes)

    def move(
        self,
        pk: int,
        state: str,
        *,
        among: Iterable[str] | Q,
        actor: Actor,
        reason: str = "",
        verb: str = "",
        **changes: Any,
    ) -> bool:
        """Move it for a person, from one of these states: stop it, resume it. Its holder loses it with this.

        ``verb``: of the audit trail, where it is not the one of the state. Returns False if it is in none of them.
        """
        here = among if isinstance(among, Q) else Q(state__in=list(among))
        changes = {"claim_token": None, "state": state, **changes}
        with transaction.atomic():
            if self.rows.filter(here, pk=pk).update(**changes) != 1:
                return False
            self._tell(self.rows.get(pk=pk), verb or self.verbs.get(state, ""), actor, reason)
        return True

    def work(self, pk: int, do: Callable[[T], None], *, actor: Actor, stopped: str = "") -> bool:
        """Claim it, do it, and see to its end, whatever happens. Returns whether work is left.

        ``do`` finishes the row itself. WorkerStopError hands it back, or leaves it in the state ``stopped``;
        TaskFailedError and GatewayError fail it with their text. With the database away it stays as it is, to be
        taken up again. A bug fails it with the bug's kind, and is raised again.
        """
        row = self.claim(pk)
        if row is None:
            return False
        try:
            with token_kept(row):
                do(row)
        except TaskLostError as lost:
            logger.warning("%s: %s", row, lost)
        except WorkerStopError:
            with contextlib.suppress(TaskLostError):
                self.hand_back(row, state=stopped)
            return True
        except (TaskFailedError, GatewayError) as reason:
            with contextlib.suppress(TaskLostError):
                self.fail(row, error_text=str(reason), actor=actor)
        except (OperationalError, InterfaceError):
            raise
        except Exception as bug:
            with contextlib.suppress(TaskLostError):
                self.fail(row, error_text=fault_text(bug), actor=actor)
            raise
        return False

    def _moved(self, before: str, after: str) -> Case:
        """The state, moved from one to the other, or left."""
        return Case(When(state=before, then=Value(after)), default=F("state"))

    def _tell(self, row: T, verb: str, actor: Actor, reason: str) -> None:
        if verb:
            audit_record(
                actor=actor,
                verb=verb,
                subject_kind=self.subject,
                subject_id=self.subject_id(row),
                reason=storable_text(reason, TEXT_LENGTH),
            )


@contextlib.contextmanager
def token_kept(row: Task) -> Iterator[None]:
    """Give the row in memory its token back where the block fails: an end that was rolled back left it ours.

    Where the end was committed after all, the next write finds that out.
    """
    token = row.claim_token
    try:
        yield
    except BaseException:
        row.claim_token = token
        raise


def fault_text(bug: BaseException) -> str:
    """Say that the console is at fault, never what a bug's message says: it may quote content."""
    return f"A fault of the console ({type(bug).__name__}); its log says where."
