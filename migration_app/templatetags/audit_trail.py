"""How pages call what stands in the audit trail."""

from __future__ import annotations

from django import template

from migration_app.audit.actions import action_label

register = template.Library()
register.filter("action_label", action_label)
