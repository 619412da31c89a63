"""A thread's plan as its conversation was sent: with fallbacks for refused items, and what the target lacks.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from migration_app.contracts import Finding, Policies, Replacement, SourceThread, ThreadPlan
from migration_app.conversion.accepted import accepted_findings
from migration_app.conversion.comparison.conversations import not_shown_findings
from migration_app.conversion.fallbacks import apply_replacements
from migration_app.conversion.threads import convert_thread
from migration_app.spill import selected


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What a conversation says about its plan: see the fields of the same names of ``Conversation``."""

    replacements: Sequence[Replacement] = ()
    continued_after: int | None = None
    fingerprint: str = ""
    not_shown: Sequence[str] = ()


NEVER_SENT = Sent()


def plan_as_sent(source: SourceThread, policies: Policies, sent: Sent = NEVER_SENT) -> ThreadPlan:
    """Convert. ValueError if a refused item is no longer in the plan: the snapshot became shorter."""
    plan = convert_thread(source, policies)
    plan = apply_replacements(plan, {entry.position: entry for entry in sent.replacements})
    more: tuple[Finding, ...] = ()
    if sent.continued_after is not None:
        more += accepted_findings(plan, sent.continued_after, sent.fingerprint)
    if sent.not_shown:
        more += not_shown_findings(plan.thread_id, sent.not_shown)
    return with_findings(plan, more)


def with_findings(plan: ThreadPlan, more: Sequence[Finding]) -> ThreadPlan:
    """The plan with these findings behind its own."""
    if not more:
        return plan
    return dataclasses.replace(plan, findings=selected(plan.findings, range(len(plan.findings)), more))
