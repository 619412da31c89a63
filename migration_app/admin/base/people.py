"""Who else can do what a person can't do alone: a few names, for pages that say so beforehand."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import get_user_model

from migration_app.contracts import Actor

_LOOKED_AT = 50
_NAMED = 5


def people_text(
    permission: str, *, but: Actor | None = None, may: Callable[[Actor], bool] | None = None
) -> str:
    """Names of people who sign in here and have the permission, as "ada, bob and 3 more"; empty if there is nobody.

    ``but``: the person who needs somebody else. ``may``: a rule of the subject's own that they must meet besides.
    """
    users = get_user_model().objects.with_perm(
        permission, backend="django.contrib.auth.backends.ModelBackend"
    )
    staff = users.filter(is_staff=True).order_by("username").values_list("username", "pk")[:_LOOKED_AT]
    names = [
        name
        for name, pk in staff
        if not (but is not None and but.may_be(name=name, user_id=pk))
        and (may is None or may(Actor(name, pk)))
    ]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
