"""The one table of finding codes: severity, text and advice.

Everything else refers to it by code; docs/conversion.md names every code, and a test says so. Texts hold
ids, type names and counts, never message content. Imports only its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from migration_app.conversion.findings.assistants import ASSISTANT_KINDS
from migration_app.conversion.findings.calls import (
    KEPT_KINDS,
    READ_BACK_KINDS,
    REFUSAL_KINDS,
    RESOURCE_KINDS,
    RUN_KINDS,
    STEP_KINDS,
)
from migration_app.conversion.findings.kinds import FindingKind
from migration_app.conversion.findings.messages import (
    ANNOTATION_KINDS,
    ATTACHMENT_KINDS,
    MESSAGE_KINDS,
    THREAD_KINDS,
)

KINDS: Mapping[str, FindingKind] = MappingProxyType(
    THREAD_KINDS
    | MESSAGE_KINDS
    | ANNOTATION_KINDS
    | ATTACHMENT_KINDS
    | STEP_KINDS
    | RUN_KINDS
    | REFUSAL_KINDS
    | KEPT_KINDS
    | READ_BACK_KINDS
    | RESOURCE_KINDS
    | ASSISTANT_KINDS
)
"""Every finding code that conversion makes."""
