"""Who acts through the web."""

from __future__ import annotations

from django.http import HttpRequest

from migration_app.contracts import Actor


def actor_of(request: HttpRequest) -> Actor:
    """Name the signed-in user for services and audit rows."""
    return Actor(name=request.user.get_username(), user_id=request.user.pk)
