"""What is told of a conversation that was kept as it is."""

from __future__ import annotations

from migration_app.contracts import PlannedItem, Severity, ThreadPlan
from migration_app.conversion.accepted import accepted_findings
from migration_app.conversion.comparison.canonical import fingerprint


def plan(count: int) -> ThreadPlan:
    items = [
        PlannedItem(
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": f"item {number}"}],
            },
            "message",
            f"msg_{number}",
            number,
        )
        for number in range(count)
    ]
    return ThreadPlan("thread_1", {}, tuple(items), ())


def as_sent(count: int) -> str:
    return fingerprint(planned.item for planned in plan(count).items)


def test_nothing_is_told_where_all_was_sent() -> None:
    assert accepted_findings(plan(3), 3, as_sent(3)) == ()


def test_what_lies_beyond_is_one_finding_at_the_first_message_of_it() -> None:
    (finding,) = accepted_findings(plan(7), 3, as_sent(3))
    assert (finding.code, finding.severity) == ("later_messages_left_out", Severity.LOSSY)
    assert (finding.source_kind, finding.source_id) == ("message", "msg_3")
    assert "4 items (from number 4)" in finding.text


def test_a_plan_that_would_send_something_else_today_is_told() -> None:
    (finding,) = accepted_findings(plan(3), 3, "0" * 64)
    assert (finding.code, finding.source_kind, finding.source_id) == (
        "accepted_from_other_plan",
        "thread",
        "thread_1",
    )


def test_a_source_that_became_shorter_is_another_plan() -> None:
    (finding,) = accepted_findings(plan(2), 3, as_sent(3))
    assert finding.code == "accepted_from_other_plan"
