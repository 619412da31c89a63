"""A thread's plan: the snapshot, converted under the policies that apply to it.

A thread that has a conversation keeps the policies and replacements that its first chunk was sent with;
without one, the policies of its batch apply, or the defaults. Calls no API.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from migration_app.contracts import (
    Policies,
    Replacement,
    SourceThread,
    ThreadPlan,
    policies_as_dict,
    policies_from,
)
from migration_app.conversion.resources import Resource, thread_resources
from migration_app.conversion.sent import NEVER_SENT, Sent, plan_as_sent, with_findings
from migration_app.models import Batch, Conversation, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.resources import resource_findings


class PlanLostError(Exception):
    """The plan that a conversation was sent from can't be rebuilt from the current snapshot."""


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedThread:
    """A thread's snapshot, its plan, and the policies of that plan."""

    source: SourceThread
    plan: ThreadPlan
    policies: Policies


def batch_policies(batch: Batch | None) -> Policies:
    """Return what the operator chose for the batch; the defaults where nothing was chosen."""
    return policies_from(batch.settings.get("policies", {})) if batch is not None else Policies()


def conversation_policies(conversation: Conversation) -> Policies:
    """Return the policies of a conversation. PlanLostError if this version does not know one of them."""
    try:
        return policies_from(conversation.policies)
    except ValueError as error:
        raise PlanLostError(
            f"It was sent under policies of another version of the console. {error}"
        ) from error


def thread_policies(thread: Thread) -> Policies:
    """Return the policies that apply to a thread. PlanLostError as ``conversation_policies``."""
    return policies_of(thread, Conversation.objects.filter(thread=thread).first())


def thread_plan(thread: Thread, source: SourceThread | None = None) -> PlannedThread:
    """Convert a thread, loaded here unless ``source`` is given. PlanLostError as ``plan_of``."""
    conversation = Conversation.objects.filter(thread=thread).first()
    return planned_thread(thread, conversation, source or load_source_thread(thread))


def shown_plan(thread: Thread) -> tuple[PlannedThread, str]:
    """The thread's plan for a page; if the one that was sent can't be rebuilt, the current one, and why."""
    try:
        return thread_plan(thread), ""
    except PlanLostError as error:
        try:
            policies = thread_policies(thread)
        except PlanLostError:
            policies = Policies()  # those of another version of the console
        source = load_source_thread(thread)
        return PlannedThread(source, plan_of(source, policies, None), policies), str(error)


def planned_thread(
    thread: Thread, conversation: Conversation | None, source: SourceThread, *, names_resources: bool = True
) -> PlannedThread:
    """Convert a thread whose conversation and snapshot are given. PlanLostError as ``plan_of``."""
    policies = policies_of(thread, conversation)
    plan = plan_of(source, policies, conversation, names_resources=names_resources)
    return PlannedThread(source, plan, policies)


def policies_of(thread: Thread, conversation: Conversation | None) -> Policies:
    """Return the policies that apply to a thread whose conversation is given. PlanLostError as above."""
    if conversation is not None and conversation.policies:
        return conversation_policies(conversation)
    return batch_policies(thread.batch if thread.pending_work == Thread.Work.BACKFILL else None)


def plan_of(
    source: SourceThread,
    policies: Policies,
    conversation: Conversation | None,
    *,
    names_resources: bool = True,
) -> ThreadPlan:
    """Convert, put fallbacks where the target refused items, and add what the target lacks.

    That is: files and vector stores that a check found missing, and what an accepted conversation lacks.

    Without ``names_resources`` the thread is known to name none of these: no row is looked up.

    Raises PlanLostError if a refused item is no longer in the plan: the snapshot became shorter.
    """
    try:
        plan = plan_as_sent(source, policies, sent_of(conversation))
    except ValueError as error:
        raise PlanLostError(str(error)) from error
    return planned_from(plan, thread_resources(source)) if names_resources else plan


def sent_of(conversation: Conversation | None) -> Sent:
    """What a conversation says about the plan that it was sent from."""
    if conversation is None:
        return NEVER_SENT
    return Sent(
        replacements=tuple(Replacement(**entry) for entry in conversation.replacements),
        continued_after=conversation.continued_after,
        fingerprint=conversation.fingerprint,
        not_shown=tuple(conversation.not_shown.split()),
    )


def planned_from(plan: ThreadPlan, resources: Sequence[Resource]) -> ThreadPlan:
    """The plan with what was found about the files and vector stores that its thread names."""
    return with_findings(plan, resource_findings(resources))


def conversation_plan(thread: Thread, conversation: Conversation) -> ThreadPlan | None:
    """The plan that a conversation was sent from, and what the conversation lacks; None if it is lost."""
    try:
        return plan_of(load_source_thread(thread), conversation_policies(conversation), conversation)
    except PlanLostError:
        return None


def policies_summary(policies: Policies) -> str:
    """Describe in one line which policies differ from the defaults, for the audit trail."""
    defaults = policies_as_dict(Policies())
    changed = [
        f"{name}={choice}" for name, choice in policies_as_dict(policies).items() if choice != defaults[name]
    ]
    return ", ".join(changed) or "default policies"
