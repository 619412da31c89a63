"""The dashboard: one live page that answers how far, what needs me, is it healthy, when is it done.

Each section has a module of its own here, and a template of its own in ``migration_app/operation/``. console.urls
includes this module as ``admin/dashboard/``.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import BACK, address
from migration_app.admin.base.live import Live
from migration_app.admin.base.site import may_view_threads
from migration_app.admin.batches.acts import ACTS, may_control
from migration_app.admin.imports.imports import IMPORT
from migration_app.admin.operation.active import active_context, open_batches
from migration_app.admin.operation.activity import activity_rows
from migration_app.admin.operation.attention import needs_of
from migration_app.admin.operation.health import DISMISS, health_context
from migration_app.admin.operation.progress import progress_context, work_of
from migration_app.audit.groups import ROLES, people_to_ask
from migration_app.batches.control import BatchRefusedError
from migration_app.batches.progress import batches_progress
from migration_app.counters import tally_lines
from migration_app.jobs import queue_state, worker_forget
from migration_app.models import Assistant, Batch
from migration_app.operation.samples import estate_parts

_SECONDS = 4
_ACTS = ("pause", "resume")


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the page shows. Staff without a role see what to do instead."""
    if not may_view_threads(request):
        asked = {"people": people_to_ask(), "roles": ROLES}
        return {**context, "title": "Dashboard", "has_role": False, **asked}
    return {**context, "title": "Dashboard", "has_role": True, **sections_context(request)}


def sections_context(request: HttpRequest) -> dict[str, Any]:
    """What the live part shows."""
    lines = tally_lines()
    parts = estate_parts(lines)
    batches = open_batches()
    progress = batches_progress(batches)
    queue = queue_state()
    return {
        "live": Live("dashboard", reverse("operation:live"), seconds=_SECONDS),
        "updated_at": timezone.now(),
        "is_empty": not parts.total and not Assistant.objects.exists(),
        "may_import": request.user.has_perm(IMPORT),
        "upload_url": address(
            reverse("admin:migration_app_sourceimport_upload"), {BACK: reverse("admin:index")}
        ),
        **health_context(request, queue),
        **progress_context(parts, lines, work_of(batches, progress), queue),
        "needs": needs_of(request, lines),
        **active_context(request, batches, progress),
        "activity": activity_rows(),
    }


def live_view(request: HttpRequest) -> HttpResponse:
    """The live part by itself."""
    if not may_view_threads(request):
        raise PermissionDenied
    return TemplateResponse(request, "migration_app/operation/sections.html", sections_context(request))


def batch_act_view(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """POST: pause or resume a batch, and back to the dashboard."""
    batch = Batch.objects.filter(pk=pk).first()
    if act not in _ACTS or batch is None:
        raise Http404("There is no such batch, or no such act.")
    if not may_view_threads(request) or not may_control(request, batch):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:index"))
    form = ACTS[act].form(request.POST)
    if form.is_valid():
        try:
            with transaction.atomic():
                messages.success(request, ACTS[act].do(batch, actor_of(request), form.cleaned_data))
        except BatchRefusedError as error:
            messages.error(request, str(error))
    else:
        messages.error(request, f"Batch {pk} was not changed: a reason is needed.")
    return HttpResponseRedirect(reverse("admin:index"))


def dismiss_view(request: HttpRequest, name: str) -> HttpResponse:
    """POST: take a dead worker off the list."""
    if not request.user.has_perm(DISMISS):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:index"))
    if worker_forget(name):
        messages.success(request, "The dead worker is no longer listed.")
    else:
        messages.error(request, "No dead worker of this name is listed.")
    return HttpResponseRedirect(reverse("admin:index"))


app_name = "operation"
urlpatterns = [
    path("live/", admin.site.admin_view(live_view), name="live"),
    path("batches/<int:pk>/<slug:act>/", admin.site.admin_view(batch_act_view), name="batch_act"),
    path("workers/dismiss/<path:name>/", admin.site.admin_view(dismiss_view), name="dismiss"),
]
