"""A plan as its conversation was sent: what the conversation says is added to what the snapshot says."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.contracts import Policies, Replacement
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.comparison.conversations import METADATA
from migration_app.conversion.sent import NEVER_SENT, Sent, plan_as_sent
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import codes, thread_of


def message(number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "created_at": 100 + number,
        "thread_id": "thread_1",
        "role": "user",
        "content": [{"type": "text", "text": {"value": f"Text {number}", "annotations": []}}],
    }


SOURCE = thread_of(message(1), message(2), message(3))
PLAN = convert_thread(SOURCE, Policies())


def test_what_was_never_sent_is_planned_from_its_snapshot_alone() -> None:
    assert plan_as_sent(SOURCE, Policies()) == plan_as_sent(SOURCE, Policies(), NEVER_SENT) == PLAN


def test_refused_items_have_their_fallback_in_their_place() -> None:
    plan = plan_as_sent(SOURCE, Policies(), Sent(replacements=[Replacement(1, 0)]))
    assert [plan.items[0], plan.items[2]] == [PLAN.items[0], PLAN.items[2]]
    assert plan.items[1] != PLAN.items[1]
    assert len(plan.findings) == len(PLAN.findings) + 1


def test_a_snapshot_that_became_shorter_than_what_was_refused_is_an_error() -> None:
    with pytest.raises(ValueError, match="no item at 3"):
        plan_as_sent(SOURCE, Policies(), Sent(replacements=[Replacement(3, 0)]))


def test_what_was_accepted_and_what_the_target_does_not_show_come_after_the_plan_s_own_findings() -> None:
    sent = Sent(
        continued_after=2,
        fingerprint=fingerprint(planned.item for planned in PLAN.items[:2]),
        not_shown=[METADATA],
    )
    plan = plan_as_sent(SOURCE, Policies(), sent)
    assert plan.items == PLAN.items
    assert codes(plan.findings)[len(PLAN.findings) :] == ["later_messages_left_out", "metadata_not_shown"]


def test_an_accepted_conversation_without_anything_left_out_adds_nothing() -> None:
    whole = fingerprint(planned.item for planned in PLAN.items)
    assert plan_as_sent(SOURCE, Policies(), Sent(continued_after=3, fingerprint=whole)) == PLAN
