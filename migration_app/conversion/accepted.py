"""What an accepted conversation lacks: its application continued it, so what the source has beyond is never sent.

Imports only ``contracts``, the table of findings and this package.
"""

from __future__ import annotations

from migration_app.contracts import Finding, ThreadPlan
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.findings.notes import Notes


def accepted_findings(plan: ThreadPlan, kept: int, accepted_fingerprint: str) -> tuple[Finding, ...]:
    """Findings about a plan of which only the first ``kept`` items went into the conversation, as the fingerprint says.

    One about what lies beyond, at the first message or step that is left out; one if what was sent differs from
    the current plan.
    """
    findings: list[Finding] = []
    beyond = len(plan.items) - kept
    if beyond > 0:
        first = plan.items[kept]
        notes = Notes(first.source_kind, first.source_id)
        notes.add("later_messages_left_out", items=beyond, position=kept + 1)
        findings += notes.findings
    if fingerprint(planned.item for planned in plan.items[:kept]) != accepted_fingerprint:
        notes = Notes("thread", plan.thread_id)
        notes.add("accepted_from_other_plan", items=kept)
        findings += notes.findings
    return tuple(findings)
