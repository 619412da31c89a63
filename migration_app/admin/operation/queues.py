"""RQ's own pages, for superusers only: they can delete, stop and repeat jobs.

django-rq itself lets every staff user in, and registers a second entrance in the admin's index: both are
closed here. console.urls includes this module as ``admin/rq/``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_protect
from django_rq.models import Dashboard
from django_rq.stats_views import stats_json
from django_rq.urls import get_admin_urlpatterns
from redis.exceptions import RedisError
from rq.exceptions import InvalidJobOperation, NoSuchJobError

from migration_app.admin.base.site import is_superuser

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponseBase]
_NOTHING_THERE = (
    *(LookupError, ValueError, TypeError, NoSuchJobError, InvalidJobOperation),
    ImproperlyConfigured,  # a page of rq-scheduler, which is not installed
)
_INLINE = re.compile(rb' onclick="[^"]*"|<script type="text/javascript">.*?</script>', re.DOTALL)


def superusers_only(view: View) -> View:
    """Let superusers in, send strangers to the login page, refuse everybody else."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not is_superuser(request):
            raise PermissionDenied
        try:
            return _without_inline_scripts(csrf_protect(view)(request, *args, **kwargs))
        except _NOTHING_THERE as error:
            # django-rq looks no number or id up before it uses it; its pages change nothing in the database.
            logger.info(
                "a page of the job queues has nothing for %s: %s", view.__name__, type(error).__name__
            )
            raise Http404("The queues hold nothing of this kind.") from error
        except RedisError:
            logger.warning("the queue can't be reached", exc_info=True)
            text = "The queue's server can't be reached (REDIS_URL)."
            return HttpResponse(text, content_type="text/plain; charset=utf-8", status=503)

    return guarded


def _without_inline_scripts(response: HttpResponseBase) -> HttpResponseBase:
    """Take out what the content policy refuses to run anyway.

    Its scripts call what Django's admin does by itself, its rows hold a link to where a click on them leads. Data
    can't be hit: quotes and angle brackets in it are escaped.
    """
    if isinstance(response, HttpResponse) and response.get("Content-Type", "").startswith("text/html"):
        response.content = _INLINE.sub(b"", response.content)
    return response


def no_public_page(_request: HttpRequest, _rest: str) -> HttpResponse:
    """Stand where Django's admin leads from a row to its page on a public site: there is none."""
    raise Http404("There is no such page.")


if admin.site.is_registered(Dashboard):
    admin.site.unregister(Dashboard)

app_name = "django_rq"
urlpatterns = [
    path("stats.json", superusers_only(stats_json), name="home_json"),
    *get_admin_urlpatterns(view_wrapper=superusers_only),
]
