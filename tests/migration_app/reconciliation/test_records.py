from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Reconciliation
from migration_app.reconciliation import records
from migration_app.reconciliation.kinds import (
    CHECKS,
    DEFAULT_CHECKS,
    KINDS,
    Examined,
    Found,
)
from migration_app.reconciliation.records import (
    RECONCILIATIONS,
    Checkpoint,
    ReconciliationRefusedError,
    checkpoint_of,
    discrepancies,
    reconciliation_create,
    reconciliation_finish,
    reconciliation_resume,
    reconciliation_schedule,
    reconciliation_stop,
    step_next,
    step_record,
    totals,
)
from migration_app.tasks.lifecycle import TaskLostError
from tests.factories import ThreadFactory

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def created(**asked: Any) -> Reconciliation:
    return reconciliation_create(**{"sample_size": 10, "actor": ADA, **asked})


def claimed(**asked: Any) -> Reconciliation:
    row = RECONCILIATIONS.claim(created(**asked).pk)
    assert row is not None
    return row


def test_what_is_asked_for_is_kept_in_the_order_in_which_it_runs_and_told_the_audit_trail() -> None:
    row = created(checks=["target", "work"], reason="before the release")
    assert (row.state, row.checks) == ("queued", ["work", "target"])
    event = AuditEvent.objects.get(verb="reconciliation.started")
    assert (event.actor, event.subject_id) == ("ada", str(row.pk))
    assert event.reason == "before the release [a sample of 10: work, target]"


def test_the_live_source_is_asked_only_by_name() -> None:
    assert set(CHECKS) - set(DEFAULT_CHECKS) == {"live"}


@pytest.mark.parametrize(
    "asked", [{"checks": ["weather"]}, {"checks": []}, {"sample_size": 0}, {"window": 0}, {"window": 257}]
)
def test_what_cant_be_done_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ReconciliationRefusedError):
        created(**asked)


def test_one_run_has_it_and_a_silent_one_loses_it_to_the_next() -> None:
    row = claimed()
    assert RECONCILIATIONS.claim(row.pk) is None
    Reconciliation.objects.update(heartbeat_at=timezone.now() - dt.timedelta(minutes=16))
    assert RECONCILIATIONS.waiting() == [row.pk]
    second = RECONCILIATIONS.claim(row.pk)
    assert second is not None
    with pytest.raises(TaskLostError):
        step_record(row, checkpoint=Checkpoint("records", 5), looked=Examined(5))
    step_record(second, checkpoint=Checkpoint("records", 5), looked=Examined(5))


def test_what_was_found_and_where_to_go_on_are_written_together() -> None:
    row = claimed()
    thread = ThreadFactory.create()
    found = (Found("difference", thread.pk, "", "3 items", "item 2 is missing"), Found("orphans_open"))
    step_record(row, checkpoint=Checkpoint("target", 3, (1, 9)), looked=Examined(3, found, skipped=1))
    step_record(row, checkpoint=Checkpoint("target", 6, (1, 9)), looked=Examined(2, found[:1]))
    row.refresh_from_db()
    assert checkpoint_of(row) == Checkpoint("target", 6, (1, 9))
    assert totals(row) == {"looked": 5, "skipped": 1, "error": 2, "warning": 0, "information": 1}
    assert [entry.code for entry in discrepancies(row)] == ["difference", "orphans_open", "difference"]
    step_next(row, check="live")
    assert checkpoint_of(row) == Checkpoint("live", 0, None)


def test_a_run_that_lost_it_writes_no_discrepancy() -> None:
    row = claimed()
    reconciliation_stop(pk=row.pk, actor=ADA)
    with pytest.raises(TaskLostError):
        step_record(row, checkpoint=Checkpoint("work", 1), looked=Examined(1, (Found("orphans_open"),)))
    assert not discrepancies(row).exists()


def test_all_are_counted_where_only_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "KEPT_PER_KIND", 3)
    row = claimed()
    for _ in range(2):
        step_record(
            row, checkpoint=Checkpoint("orphans", 1), looked=Examined(2, (Found("orphans_open"),) * 2)
        )
    assert (totals(row)["information"], discrepancies(row).count()) == (4, 3)


def test_one_that_ended_is_not_claimed_again_unless_it_is_told_to_go_on() -> None:
    row = claimed()
    RECONCILIATIONS.fail(row, error_text="the target is down", actor=ADA)
    assert RECONCILIATIONS.claim(row.pk) is None
    assert not reconciliation_stop(pk=row.pk, actor=ADA)
    assert reconciliation_resume(pk=row.pk, actor=ADA)
    again = RECONCILIATIONS.claim(row.pk)
    assert again is not None
    assert again.error_text == ""
    reconciliation_finish(again, actor=ADA)
    assert not reconciliation_resume(pk=row.pk, actor=ADA)
    verbs = list(AuditEvent.objects.order_by("pk").values_list("verb", flat=True))
    assert [verb.removeprefix("reconciliation.") for verb in verbs] == [
        "started",
        "failed",
        "resumed",
        "finished",
    ]


def test_a_text_that_postgresql_cant_hold_is_cleaned() -> None:
    row = claimed()
    step_record(
        row,
        checkpoint=Checkpoint("objects", 1),
        looked=Examined(1, (Found("object_damaged", found="a\x00b"),)),
    )
    assert discrepancies(row).get().found == "ab"


# --- the regular one


def test_zero_hours_mean_never() -> None:
    assert reconciliation_schedule(every_hours=0, actor=ADA) is None


def test_the_regular_one_begins_once_and_again_when_its_time_has_come() -> None:
    first = reconciliation_schedule(every_hours=24, actor=ADA)
    assert first is not None
    assert first.scheduled
    assert reconciliation_schedule(every_hours=24, actor=ADA) is None
    Reconciliation.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert reconciliation_schedule(every_hours=24, actor=ADA) is None, "the last one still waits"
    Reconciliation.objects.update(state="finished")
    second = reconciliation_schedule(every_hours=24, actor=ADA)
    assert second is not None
    assert (first.seed, second.seed) == (0, 1), "the next one looks at other threads"


def test_one_that_a_person_asked_for_does_not_move_the_regular_one() -> None:
    created()
    assert reconciliation_schedule(every_hours=24, actor=ADA) is not None


def test_every_kind_says_what_it_is_and_what_to_do() -> None:
    for code, kind in KINDS.items():
        assert kind.title.endswith("."), code
        assert kind.advice.endswith("."), code
        assert len(code) <= 64
