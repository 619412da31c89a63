"""Pages that belong to no model: shown in the console's frame, for those who may see threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse

from migration_app.admin.base.live import frame_for
from migration_app.admin.base.site import may_view_threads

View = Callable[..., HttpResponseBase]


def console_page(
    request: HttpRequest, template: str, *, title: str, http_status: int = 200, **context: Any
) -> HttpResponse:
    """Show a page in the console's frame; 400 where a form is to be corrected."""
    request.current_app = admin.site.name
    whole = {**admin.site.each_context(request), "frame": frame_for(request), "title": title, **context}
    return TemplateResponse(request, f"migration_app/{template}", whole, status=http_status)


def console_view(view: View) -> View:
    """A view for signed-in staff with a role: 403 for others, the login page for strangers."""

    def checked(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        if not may_view_threads(request):
            raise PermissionDenied
        return view(request, *args, **options)

    return admin.site.admin_view(checked)
