from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from migration_app.contracts import Actor
from migration_app.imports.imports import import_receive
from migration_app.management.commands import cancel_import
from migration_app.models import AuditEvent, ImportPart, SourceImport

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pks: list[int] = []
    monkeypatch.setattr(cancel_import, "enqueue", lambda _kind, pk: pks.append(pk))
    return pks


def test_an_import_is_cancelled_with_its_reason(enqueued: list[int]) -> None:
    row = import_receive(kind="archive", file_name="f", chunks=[b"{}"], actor=Actor("ada"))
    out = io.StringIO()
    call_command("cancel_import", str(row.pk), "--reason", "the wrong file", stdout=out)
    row.refresh_from_db()
    assert (row.state, enqueued, ImportPart.objects.exists()) == ("cancelled", [row.pk], False)
    assert out.getvalue() == f"Import {row.pk} is cancelled.\n"
    assert AuditEvent.objects.get(verb="import.cancelled").reason == "the wrong file"


def test_what_is_over_or_unknown_can_not_be_cancelled(enqueued: list[int]) -> None:
    row = import_receive(kind="archive", file_name="f", chunks=[b"{}"], actor=Actor("ada"))
    SourceImport.objects.update(state="finished")
    for pk in (row.pk, row.pk + 1):
        with pytest.raises(CommandError, match="no import"):
            call_command("cancel_import", str(pk), "--reason", "x")
    assert enqueued == []


def test_a_cancel_without_a_reason_is_refused() -> None:
    with pytest.raises(CommandError, match="--reason"):
        call_command("cancel_import", "1", "--reason", " ")
