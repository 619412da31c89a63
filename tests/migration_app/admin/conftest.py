"""People of each role, and a small estate to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.template import Context, Variable, VariableDoesNotExist
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.audit.accounts import accounts_unaudited
from migration_app.models import Thread
from tests.migration_app.admin.estate import page_made, thread_made

LogIn = Callable[[str], Client]
MakeThread = Callable[..., Thread]

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def plain_http(settings: Settings) -> None:
    """Tests speak http."""
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False


@pytest.fixture(autouse=True)
def no_static_files(settings: Settings) -> None:
    """Each client would look for every static file first: a quarter of these tests' time."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def nothing_undefined(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where a template of ours reads a name that it is not given: Django would leave the place empty."""
    undefined: set[str] = set()
    resolved = Variable._resolve_lookup  # type: ignore[attr-defined]  # Django has no public hook here

    def resolve(variable: Variable, context: Context) -> Any:
        try:
            return resolved(variable, context)
        except VariableDoesNotExist:
            template = context.render_context.template
            name = str(template.origin.name) if template else ""
            if name.startswith(str(settings.BASE_DIR / "templates" / "migration_app")):
                undefined.add(f"{name}: {variable.var}")
            raise

    monkeypatch.setattr(Variable, "_resolve_lookup", resolve)
    yield
    assert undefined == set()


@pytest.fixture(autouse=True)
def nobody_signs_in(settings: Settings) -> None:
    """A test that logs a role in by force tells of no sign-in; test_sign_in.py counts and records them."""
    settings.AXES_ENABLED = False


@pytest.fixture
def log_in(db: None) -> LogIn:
    """Make a client for a role: viewer, operator, admin, superuser, newcomer (staff without a group), anonymous."""

    def make(role: str) -> Client:
        client = Client()
        if role == "anonymous":
            return client
        with accounts_unaudited():  # the trail of a test is what the test does
            user = User.objects.create_user(role, is_staff=True, is_superuser=role == "superuser")
            if role not in {"superuser", "newcomer"}:
                user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return client

    return make


@pytest.fixture
def make_thread(db: None) -> MakeThread:
    """Make a snapshotted thread with these messages (texts, user and assistant in turn, or whole objects)."""

    def make(*messages: Any, **fields: Any) -> Thread:
        thread: Thread = thread_made(
            **{
                "status": Thread.Status.SNAPSHOTTED,
                "snapshot_at": timezone.now(),
                "fidelity": "exact",
                **fields,
            }
        )
        documents = [
            {"id": thread.thread_id, "object": "thread", "created_at": 1_700_000_000, "metadata": {}}
        ]
        documents += [message_of(thread, number, message) for number, message in enumerate(messages)]
        page_made(thread, [json.dumps(document).encode() for document in documents])
        return thread

    return make


def message_of(thread: Thread, number: int, message: Any) -> dict[str, Any]:
    body = (
        message if isinstance(message, dict) else {"content": [{"type": "text", "text": {"value": message}}]}
    )
    return {
        "id": f"msg_{thread.pk}_{number}",
        "object": "thread.message",
        "thread_id": thread.thread_id,
        "created_at": 1_700_000_000 + number,
        "role": "user" if number % 2 == 0 else "assistant",
        **body,
    }
