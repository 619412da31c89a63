"""Which findings show that a policy affected a part of a thread.

Every part that a policy decides about leaves a finding with one of these codes, whatever the choice; so a
thread whose counted findings hold none of them is the same under every choice. Preflight relies on that, and
tests verify it. Imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType

POLICY_FINDINGS: Mapping[str, Mapping[str, Set[str]]] = MappingProxyType(
    {
        "assistant_images": {
            "placeholder": {"image_on_assistant"},
            "developer_note": {"image_in_developer_note"},
            "block": {"image_blocks"},
        },
        "code_interpreter": {
            "note": {"code_interpreter_as_note"},
            "native": {"code_interpreter_native", "code_interpreter_as_note"},
            "drop_with_finding": {"code_interpreter_not_carried"},
            "block": {"code_interpreter_blocks"},
        },
        "file_search": {
            "note": {"file_search_as_note"},
            "native": {"file_search_native", "file_search_as_note"},
            "drop_with_finding": {"file_search_not_carried"},
            "block": {"file_search_blocks"},
        },
        "other_tool_calls": {
            "note": {"tool_call_as_note"},
            "drop_with_finding": {"tool_call_not_carried"},
            "block": {"tool_call_blocks"},
        },
        "orphan_tool_calls": {
            "note": {"function_call_as_note"},
            "drop_with_finding": {"function_call_not_carried"},
            "block": {"function_call_blocks"},
        },
        "attachments": {
            "input_file": {"attachment_as_input_file", "attachment_on_assistant"},
            "note": {"attachment_as_note"},
            "vector_store_only": {"attachment_in_store", "attachment_without_store"},
        },
        "incomplete_messages": {
            "keep": {"message_incomplete", "message_in_progress"},
            "mark": {"message_incomplete", "message_in_progress"},
            "skip": {"message_skipped"},
        },
        "deletions": {
            "leave_out": {"message_deleted", "thread_deleted"},
            "carry": {"message_deleted_carried", "thread_deleted_carried"},
        },
    }
)
"""Policy → choice → codes, one of which each part has that the policy decides about. Choices in their order."""

_BESIDE = frozenset({"message_marked"})
"""Codes that a choice other than the default leaves beside that one."""


def codes_of(policy: str) -> frozenset[str]:
    """Codes that a thread has under one choice or another if the policy matters to it."""
    return frozenset[str]().union(*POLICY_FINDINGS[policy].values())


def default_codes(policy: str) -> frozenset[str]:
    """Codes that a thread has under the default choice if the policy matters to it."""
    return frozenset(next(iter(POLICY_FINDINGS[policy].values())))


def codes_of_other_choices() -> frozenset[str]:
    """Codes that only a choice other than a default leaves: such a plan was not made under the defaults."""
    defaults = frozenset[str]().union(*map(default_codes, POLICY_FINDINGS))
    return frozenset[str]().union(*map(codes_of, POLICY_FINDINGS)) - defaults | _BESIDE
