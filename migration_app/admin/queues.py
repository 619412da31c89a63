"""RQ's own pages, for superusers only: they can delete, stop and repeat jobs.

django-rq itself lets every staff user in, and registers a second entrance in the admin's index: both are
closed here. console.urls includes this module as ``admin/rq/``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_protect
from django_rq.models import Dashboard
from django_rq.stats_views import stats_json
from django_rq.urls import get_admin_urlpatterns

from migration_app.admin.site import is_superuser

View = Callable[..., HttpResponseBase]


def superusers_only(view: View) -> View:
    """Let superusers in, send strangers to the login page, refuse everybody else."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not is_superuser(request):
            raise PermissionDenied
        return csrf_protect(view)(request, *args, **kwargs)

    return guarded


if admin.site.is_registered(Dashboard):
    admin.site.unregister(Dashboard)

app_name = "django_rq"
urlpatterns = [
    path("stats.json", superusers_only(stats_json), name="home_json"),
    *get_admin_urlpatterns(view_wrapper=superusers_only),
]
