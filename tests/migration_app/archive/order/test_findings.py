"""What findings of an archive say: each names its object, what was found and, where somebody can do something, what."""

from __future__ import annotations

import pytest

from migration_app.archive.order.findings import (
    conflict_finding,
    open_finding,
    order_finding,
    sorted_finding,
    step_order_finding,
)
from migration_app.contracts import Finding


@pytest.mark.parametrize(
    ("finding", "code", "severity", "source", "place"),
    [
        (conflict_finding("run", "run_1"), "object_conflict", "lossy", ("run", "run_1"), ""),
        (order_finding("t"), "message_order_uncertain", "transformed", ("thread", "t"), "messages"),
        (sorted_finding("t"), "message_order_by_time", "note", ("thread", "t"), "messages"),
        (step_order_finding("t", "run_1"), "step_order_uncertain", "transformed", ("run", "run_1"), "steps"),
        (step_order_finding("t", ""), "step_order_uncertain", "transformed", ("thread", "t"), "steps"),
        (open_finding("message", "thread", "t"), "list_continues", "lossy", ("thread", "t"), "messages"),
        (open_finding("run", "thread", "t"), "list_continues", "lossy", ("thread", "t"), "runs"),
        (open_finding("step", "run", "run_1"), "list_continues", "lossy", ("run", "run_1"), "steps"),
    ],
)
def test_each_finding_says_where_it_is_and_what_it_means(
    finding: Finding, code: str, severity: str, source: tuple[str, str], place: str
) -> None:
    assert (finding.code, finding.severity.value, finding.place) == (code, severity, place)
    assert (finding.source_kind, finding.source_id) == source
    assert finding.text.endswith(".")
    assert finding.advice.endswith(".") == (severity != "note")
    assert place in finding.text.lower()
