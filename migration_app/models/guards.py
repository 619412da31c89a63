"""Append-only tables: rows are kept as written.

Triggers in plain SQL hold it (the first migration): no setting of a session switches them off, only the tables'
owner or a superuser can. ``audit.database_role`` makes a role for the application that is neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models

from migration_app.models.audit import AuditEvent
from migration_app.models.prompt import PromptVersion
from migration_app.models.snapshot import SnapshotPage, SourceObject

GUARDED: Mapping[type[models.Model], tuple[str, ...]] = {
    AuditEvent: (),
    SnapshotPage: (),
    SourceObject: ("state",),
    PromptVersion: (
        "state",
        "submitted_by_name",
        "submitted_by_user_id",
        "decided_by_name",
        "decided_by_user_id",
        "decided_at",
        "activated_by_name",
        "activated_by_user_id",
        "activated_at",
    ),
}
"""Each with the columns that may change; DELETE and TRUNCATE are refused for all of them."""
