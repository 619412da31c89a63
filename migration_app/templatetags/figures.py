"""How pages write numbers."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def number(value: int) -> str:
    """With commas between thousands."""
    return f"{value:,}"
