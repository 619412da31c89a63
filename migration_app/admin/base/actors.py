"""Who acts through the web."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from migration_app.audit.acting import acts
from migration_app.contracts import Actor

_STRANGER = Actor("nobody signed in")


def actor_of(request: HttpRequest) -> Actor:
    """Name the signed-in user for services and audit rows."""
    return Actor(name=request.user.get_username(), user_id=request.user.pk)


def acting_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Let records made by signals name the signed-in user during the request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        def who() -> Actor:
            return actor_of(request) if request.user.is_authenticated else _STRANGER

        with acts(who):
            return get_response(request)

    return middleware
