"""Who sees which entry of the navigation. Named as strings in console.unfold; must not import admin classes."""

from __future__ import annotations

from django.http import HttpRequest


def may_view_threads(request: HttpRequest) -> bool:
    """Whether the user belongs to one of the operator groups, or has their first permission another way."""
    return request.user.has_perm("migration_app.view_thread")


def is_superuser(request: HttpRequest) -> bool:
    """RQ's own pages can delete and repeat jobs, so only superusers see them."""
    return bool(request.user.is_active and request.user.is_superuser)


def may_manage_users(request: HttpRequest) -> bool:
    """Users who may change users could give themselves any permission: superusers only."""
    return is_superuser(request)
