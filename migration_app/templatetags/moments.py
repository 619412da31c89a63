"""Moments on pages: ``{{ row.created_at|moment }}``, to the second, or ``|moment_minutes``."""

from __future__ import annotations

import datetime as dt

from django import template

from migration_app.moments import clock_html, moment_html, moment_text, zone_name

register = template.Library()
register.filter("moment", moment_html)
register.filter("moment_plain", moment_text)
register.filter("moment_clock", clock_html)
register.simple_tag(zone_name)


@register.filter
def moment_minutes(moment: dt.datetime | None) -> str:
    """A moment to the minute."""
    return moment_html(moment, seconds=False)
