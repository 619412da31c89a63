"""The probe: what a target does with a repeated append is found out, kept, and never assumed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from migration_app.engine.behaviour import Behaviour
from migration_app.engine.database import DatabaseThread
from migration_app.engine.runner import batch_work
from migration_app.engine.target_behaviour import (
    list_lag_record,
    probe_claim,
    repeats_are_refused,
    target_behaviour,
)
from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from migration_app.models import AuditEvent, TargetBehaviour, Thread
from migration_app.tasks.connections import Connections, target_name
from tests.migration_app.conftest import Run
from tests.migration_app.engine.conftest import ACTOR, start
from tests.prepared import turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "https://api.example.org/v1"


@pytest.fixture(autouse=True)
def daily(settings: Any) -> None:
    settings.TARGET_PROBE_HOURS = 24


@pytest.fixture
def probe(target: Connection, run: Run) -> Callable[[], TargetBehaviour]:
    def probed() -> TargetBehaviour:
        async def go() -> None:
            async with DatabaseThread() as database:
                behaviour = Behaviour(NAME, database)
                await behaviour.load()
                await behaviour.probe(lambda: target, ACTOR)

        run(go())
        return TargetBehaviour.objects.get()

    return probed


def assert_nothing_is_left(sandbox: RunningSandbox) -> None:
    state = sandbox.control.state()
    assert state.items == {}
    assert state.stored_items == 0


def test_a_target_that_refuses_repeats_is_known_to(
    probe: Callable[[], TargetBehaviour], sandbox: RunningSandbox
) -> None:
    row = probe()
    assert (row.target, row.repeats, row.scratch_id) == (NAME, "refused", "")
    assert repeats_are_refused(row, now=timezone.now())
    assert "item_already_in_conversation, 400" in row.repeats_note
    assert_nothing_is_left(sandbox)
    assert AuditEvent.objects.get(verb="target.probed").subject_id == NAME


@pytest.mark.parametrize("manner", ["ids_dropped", "repeats_taken", "repeats_swallowed"])
def test_a_target_that_answers_a_repeat_as_a_new_append_is_known_to(
    probe: Callable[[], TargetBehaviour], sandbox: RunningSandbox, manner: str
) -> None:
    sandbox.control.add_fault(manner)
    row = probe()
    assert row.repeats == "taken"
    assert not repeats_are_refused(row, now=timezone.now())
    assert_nothing_is_left(sandbox)


@pytest.mark.parametrize(
    ("fault", "match", "after"),
    [
        ("reset_after", "POST .*/items", 1),
        ("error_500", "POST .*/items", 0),
        ("unauthorized", "POST /conversations$", 0),
        ("ignored", "POST .*/items", 2),
    ],
)
def test_a_probe_that_met_trouble_found_nothing_out_and_is_made_again_sooner(
    probe: Callable[[], TargetBehaviour], sandbox: RunningSandbox, fault: str, match: str, after: int
) -> None:
    sandbox.control.add_fault(fault, match, after=after, times=1)
    row = probe()
    assert row.repeats == "unknown"
    assert not repeats_are_refused(row, now=timezone.now())
    assert row.probe_after is not None
    assert row.probe_after < timezone.now() + dt.timedelta(hours=1, seconds=1)
    assert row.repeats_note


def test_trouble_leaves_what_is_known_until_it_is_too_old(
    probe: Callable[[], TargetBehaviour], sandbox: RunningSandbox
) -> None:
    probe()
    TargetBehaviour.objects.update(probe_after=timezone.now() - dt.timedelta(seconds=1))
    sandbox.control.add_fault("error_500", "POST")
    row = probe()
    assert repeats_are_refused(row, now=timezone.now())
    assert not repeats_are_refused(row, now=timezone.now() + dt.timedelta(hours=49))


def test_what_a_probe_left_behind_is_deleted_by_the_next_one(
    probe: Callable[[], TargetBehaviour], sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("error_500", "DELETE", times=2)
    left = probe().scratch_id
    assert left in sandbox.control.state().items
    sandbox.control.clear_faults()
    TargetBehaviour.objects.update(probe_after=None)
    assert probe().repeats == "refused"
    assert_nothing_is_left(sandbox)


def test_one_worker_probes_and_again_a_day_later() -> None:
    target_behaviour(NAME)
    assert probe_claim(NAME)
    assert not probe_claim(NAME)
    TargetBehaviour.objects.update(probe_after=timezone.now() - dt.timedelta(seconds=1))
    assert probe_claim(NAME)


def test_none_is_made_where_that_is_switched_off(settings: Any) -> None:
    settings.TARGET_PROBE_HOURS = 0
    target_behaviour(NAME)
    assert not probe_claim(NAME)


def test_the_longest_lag_that_was_seen_is_kept() -> None:
    target_behaviour(NAME)
    for seconds in (1.5, 4.0, 2.0):
        list_lag_record(NAME, seconds)
    row = TargetBehaviour.objects.get()
    assert row.list_lag_seconds == 4.0
    assert row.list_lag_seen_at is not None


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://user:secret@api.example.org:8443/v1/?key=secret", "https://api.example.org:8443/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
    ],
)
def test_a_targets_name_holds_no_secret(base_url: str, name: str) -> None:
    assert target_name(base_url) == name


def test_a_turn_probes_its_target_beside_its_threads(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox
) -> None:
    batch = start("backfill", *(make_thread(f"thread_{number}", messages=25) for number in range(3)))

    def connect() -> Connection:
        return target_connection(timeout_seconds=5)

    connections = Connections(source=connect, target=connect, target_name=NAME)
    batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(ACTOR))
    assert TargetBehaviour.objects.get().repeats == "refused"
    assert set(Thread.objects.values_list("status", flat=True)) == {"verified"}
    assert len(sandbox.control.state().items) == 3
