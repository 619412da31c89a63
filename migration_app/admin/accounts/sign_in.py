"""Who signs in, who fails to, and who has to wait: django-axes counts, this says by what and writes the audit trail.

Failures of the last minutes are counted three ways: by name and address together, by address alone, and by name
alone, the latter two with more patience. Clients over a limit are refused before a password is checked, so that
guessing costs the guesser time and the server nothing. Nobody can lock a person out of an address from which that
person signed in lately by failing under other names there, or from elsewhere.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from console.client_address import client_address
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor

if TYPE_CHECKING:

    class _AxesHandler:
        """Stands for django-axes' handler, which carries no annotations."""

        def get_user_attempts(self, request: HttpRequest, credentials: Any) -> list[Any]: ...
        def filter_user_attempts(self, request: HttpRequest, credentials: Any) -> list[Any]: ...
        def user_login_failed(self, sender: Any, credentials: Any, request: Any, **kwargs: Any) -> None: ...
        def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None: ...
        def user_logged_out(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None: ...
else:
    from axes.handlers.database import AxesDatabaseHandler as _AxesHandler

ADDRESS_PATIENCE = 4
"""So many times the limit before an address is locked out whatever the names: many people may share one."""
NAME_PATIENCE = 10
"""The same for a name whatever the addresses."""
KNOWN_FOR = dt.timedelta(days=30)
"""An address from which somebody signed in counts as theirs for so long; so long such records are kept."""
_NAME_SHOWN = 64
_LOOKING = threading.Lock()
_IN_LINE = threading.BoundedSemaphore(3)
"""Per server process: one password is checked, two wait. So the other threads serve pages."""
_BUSY_SECONDS = 5


class SignInHandler(_AxesHandler):
    """What django-axes does at each sign-in, sign-out and failure, with our limits and the audit trail."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures that count for this attempt, in the measure of a name at an address."""
        pair, address, name = (
            attempts.aggregate(total=Sum("failures_since_start", default=0))["total"]
            for attempts in self.get_user_attempts(request, credentials)
        )
        if _is_known(request, credentials):
            return int(pair)
        return int(max(pair, address // ADDRESS_PATIENCE, name // NAME_PATIENCE))

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Forget the failures of a name at an address, and no others: a guesser may have an account too."""
        count, _by_model = self.filter_user_attempts(request, credentials)[0].delete()
        return int(count)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """Count a failure. One that was refused unread is neither counted nor recorded: the lock-out was."""
        state: Any = request
        refused = state is not None and state.axes_locked_out
        # In no transaction of ours: it would hold the row that this failure is counted in while it waits for those of
        # others, who wait for it.
        super().user_login_failed(sender, credentials, request, **kwargs)
        if state is None or refused:
            return
        typed = get_client_username(state, credentials)
        # Other fields of the form are not recorded.
        AccessAttempt.objects.filter(
            username=typed, ip_address=state.axes_ip_address, user_agent=state.axes_user_agent
        ).update(get_data="", post_data="")
        with transaction.atomic():
            _record("user.sign_in_failed", name_text(typed), state, Actor("nobody signed in"))
            if state.axes_locked_out:
                _record("user.locked_out", name_text(typed), state, Actor("nobody signed in"))

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """Record it, and let the session end at a fixed time, however busy it is."""
        super().user_logged_in(sender, request, user, **kwargs)
        AccessLog.objects.filter(attempt_time__lt=timezone.now() - KNOWN_FOR).delete()
        _record("user.signed_in", user.get_username(), request, _actor(user))
        request.session.set_expiry(timezone.now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE))

    def user_logged_out(self, sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
        """Record it, if anybody was signed in."""
        super().user_logged_out(sender, request, user, **kwargs)
        if user is not None:
            _record("user.signed_out", user.get_username(), request, _actor(user))


class PasswordBackend(ModelBackend):
    """Django's, but few passwords are checked at once: each takes a core for a third of a second.

    Those who come from elsewhere, and are locked out nowhere yet, would otherwise slow down every page.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Check a password when it is its turn. PermissionDenied, uncounted, if too many wait already."""
        if not _IN_LINE.acquire(blocking=False):
            if request is not None:
                told: Any = request
                told.axes_locked_out = told.is_sign_in_busy = (
                    True  # answered as a lock-out is, and as little recorded
                )
            raise PermissionDenied("too many passwords are being checked")
        try:
            with _LOOKING:
                return super().authenticate(request, username, password, **kwargs)
        finally:
            _IN_LINE.release()


def locked_out(
    request: HttpRequest,
    _original: HttpResponseBase | None = None,
    _credentials: dict[str, Any] | None = None,
) -> HttpResponse:
    """The page for clients that have to wait: for minutes after failures, for seconds if too many come together."""
    busy = getattr(request, "is_sign_in_busy", False)
    minutes = settings.SIGN_IN_LOCK_MINUTES
    response = render(request, "admin/locked_out.html", {"minutes": minutes, "busy": busy}, status=429)
    response["Retry-After"] = str(_BUSY_SECONDS if busy else minutes * 60)
    return response


def client_text(
    username: str | None, address: str | None, _agent: str, _path: str, _request: HttpRequest
) -> str:
    """Name a client in the log, in one line whatever was typed."""
    return f"{name_text(username)} at {address or 'an unknown address'}"


def name_text(typed: str | None) -> str:
    """A name as it may be kept: what was typed is anything, and may be a password in the wrong field."""
    return (
        "".join(sign if sign.isprintable() else "\ufffd" for sign in typed or "")[:_NAME_SHOWN] or "no name"
    )


def _is_known(request: HttpRequest, credentials: dict[str, Any] | None) -> bool:
    """Whether this person signed in from this address lately."""
    state: Any = request
    since = timezone.now() - KNOWN_FOR
    name = get_client_username(request, credentials)
    if not name or state.axes_ip_address is None:
        return False
    rows = AccessLog.objects.filter(username=name, ip_address=state.axes_ip_address, attempt_time__gte=since)
    return bool(rows.exists())


def _record(verb: str, name: str, request: HttpRequest, actor: Actor) -> None:
    audit_record(
        actor=actor,
        verb=verb,
        subject_kind="user",
        subject_id=name,
        reason=f"from {client_address(request) or 'an unknown address'}",
    )


def _actor(user: User) -> Actor:
    return Actor(name=user.get_username(), user_id=user.pk)
