from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from migration_app.counters import THREADS, counters_differences
from migration_app.models import AuditEvent, Tally
from tests.migration_app.admin.estate import thread_made

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rebuild_counters", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def off() -> None:
    thread_made()
    THREADS.fold()
    Tally.objects.update(threads=7)


def test_looking_names_what_is_off_and_changes_nothing() -> None:
    text = said("--check")
    assert "+6 threads" in text
    assert "1 counters are off." in text
    assert len(counters_differences()) == 1
    assert not AuditEvent.objects.filter(verb="counters.rebuilt").exists()


def test_rebuilding_puts_them_right_and_is_told_the_audit_trail() -> None:
    assert "1 of them had been off" in said("--reason", "after the restore")
    assert counters_differences() == []
    assert AuditEvent.objects.get(verb="counters.rebuilt").reason == "after the restore"
    assert "Every counter is right." in said("--check")
