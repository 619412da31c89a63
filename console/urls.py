"""The console's addresses: the admin, RQ's own pages under it, and a health check."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from migration_app.admin.operation.queues import no_public_page


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer a load balancer: the process serves. It touches neither database nor queue."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz),
    path("admin/rq/", include("migration_app.admin.operation.queues")),
    path("admin/dashboard/", include("migration_app.admin.operation.dashboard")),
    path("admin/r/<path:_rest>", no_public_page),
    path("admin/review/", include("migration_app.admin.review.urls")),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index", permanent=False)),
]
