"""Who acts at a shell: told by uid, whatever the environment says."""

from __future__ import annotations

import os
import pwd

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from migration_app.audit.command_line import command_actor
from migration_app.models import AuditEvent, ServerMessage
from tests.factories import ThreadFactory


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"])
def test_the_environment_makes_nobody_else(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "admin")
    name = pwd.getpwuid(os.getuid()).pw_name
    assert command_actor().name == f"{name} (command line)"
    assert command_actor().user_id is None


def test_a_user_without_a_name_is_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert command_actor().name == "uid 987654 (command line)"


@pytest.mark.django_db
def test_a_command_writes_the_operating_systems_user_into_the_trail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "admin")
    ServerMessage.objects.create(thread=ThreadFactory.create(), code="refused", text="no", said_at=Now())
    call_command("erase_server_messages", all=True, reason="asked for by the user")
    assert not ServerMessage.objects.exists()
    (event,) = AuditEvent.objects.filter(verb="thread.server_messages_erased")
    assert (event.actor, event.actor_user_id) == (command_actor().name, None)


@pytest.mark.django_db
def test_words_are_erased_for_a_reason_only() -> None:
    with pytest.raises(CommandError, match="Say why with --reason"):
        call_command("erase_server_messages", all=True)
