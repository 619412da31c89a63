"""A target whose reads can't be trusted, or that answers what is not so: nothing false is said of any thread."""

from __future__ import annotations

import pytest

from migration_app.models import FormerConversation, Thread
from tests.end_to_end.black_box import TIMEOUT_SECONDS, Run, assert_kept, run_at
from tests.end_to_end.foreign_target import Behaviour, foreign_target
from tests.end_to_end.verdicts import texts_in
from tests.sandbox import RunningSandbox, running_sandbox

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.black_box,
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

DOUBLED = "ids_dropped:POST .*/items"
FLICKER = "list_flickers:POST .*/items:seconds=1.2;latency:GET :seconds=0.1"
SETTLES = {
    "lists_lag_for_a_while": "list_lag:POST .*/items:seconds=2.5",
    "lists_grow": "list_grows:POST .*/items:seconds=2.5",
    "lists_show_the_newest_first": "list_newest_first:POST .*/items:seconds=2.5",
    "lists_flicker": FLICKER,
    "a_new_conversation_is_unknown_to_reads": "read_lag:POST /conversations$:seconds=2",
    "a_new_conversation_is_unknown": "create_lag:POST /conversations$:seconds=1:every=4",
    "a_cache_answers_lists": "cache:GET :seconds=1000",
    "answers_are_late": "answer_late:POST .*/items:every=4:seconds=4",
    "answers_are_lost_and_lists_lag": "list_lag:POST .*/items:seconds=2.5;reset_after:POST .*/items:every=4",
    "answers_are_lost_and_lists_flicker": f"{FLICKER};garbage:POST .*/items:every=4",
    "a_proxy_gives_up_before_the_server": "act_late:POST :every=4:seconds=3:status=504",
    "connections_break_before_the_server_acts": "reset_act_late:POST :every=4:seconds=3",
}
"""Faults that pass: nearly all must be verified without a person."""
LASTS = {
    "items_are_forgotten": "forgets_items:POST .*/items:every=5",
    "conversations_are_forgotten": "forgets_conversation:POST .*/items:every=9",
    "appends_get_anothers_answer": "anothers_answer:POST .*/items:every=5",
    "creates_get_anothers_answer": "anothers_answer:POST /conversations$:every=4",
    "lists_get_anothers_answer": "anothers_answer:GET .*/items:every=5",
    "appends_are_ignored": "ignored:POST .*/items:every=5",
    "all_at_once": (
        "list_grows:POST .*/items:seconds=1;act_late:POST .*/items:every=7:seconds=3;"
        "forgets_items:POST .*/items:every=11;anothers_answer:every=13;cache:GET :seconds=5;reset_after:every=9"
    ),
}
"""Faults that lose, mix up or refuse: a person may be needed, but nothing that is verified may be false."""


def gone_through(sandbox: RunningSandbox, run: Run) -> None:
    run.start_workers()
    run.wait(run.start(window=6))


@pytest.mark.parametrize("faults", SETTLES.values(), ids=SETTLES)
def test_fault_that_passes_costs_nothing_but_time(faults: str) -> None:
    with (
        running_sandbox(faults=f"{DOUBLED};{faults}") as sandbox,
        run_at(sandbox.base_url, count=20, lease_seconds=10) as run,
    ):
        gone_through(sandbox, run)
        assert_kept(run, texts_in(sandbox.control))


@pytest.mark.parametrize("faults", LASTS.values(), ids=LASTS)
def test_fault_that_loses_or_mixes_up_makes_nothing_verified_that_is_not(faults: str) -> None:
    with (
        running_sandbox(faults=f"{DOUBLED};{faults}") as sandbox,
        run_at(sandbox.base_url, count=20, lease_seconds=10, MAX_ATTEMPTS="6") as run,
    ):
        gone_through(sandbox, run)
        assert_kept(run, texts_in(sandbox.control), least_share=0.0)


@pytest.mark.parametrize("lag_seconds", [0.0, 2.5], ids=["prompt", "lagging"])
def test_roll_back_says_that_all_is_gone_only_where_it_is(lag_seconds: float) -> None:
    """Deletes that act late, in lists that lag: what is called gone, without left_behind, is gone in the end."""
    behaviour = Behaviour(lag_seconds=lag_seconds, keeps_ids=True)
    with (
        foreign_target(behaviour) as target,
        run_at(target.url, count=10, sizes=(5, 21), lease_seconds=10) as run,
    ):
        run.start_workers()
        run.wait(run.start(window=10))
        # Rolled back as soon as it can be: what was appended last is not in any list yet.
        behaviour.late_deletes, behaviour.late_seconds = 0.1, 3.0
        run.wait(run.start("rollback", window=10))
        rolled_back = Thread.objects.filter(status="rolled_back")
        false = [
            former.conversation_id
            for former in FormerConversation.objects.filter(
                thread__in=rolled_back, left_behind="", outcome="rolled_back"
            )
            if target.left_over(former.conversation_id)
        ]
        assert false == []
        assert rolled_back.count() == 10
