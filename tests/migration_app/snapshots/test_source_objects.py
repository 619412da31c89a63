"""Objects of no thread, stored beside what threads name."""

from __future__ import annotations

import collections

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migration_app.contracts import Actor
from migration_app.snapshots.source_objects import source_objects_store

pytestmark = pytest.mark.django_db


def test_nothing_to_store_waits_for_nobody() -> None:
    """Live snapshots mostly have nothing: with the lock they would be stored one after the other."""
    with CaptureQueriesContext(connection) as asked:
        source_objects_store(
            objects=[], source_import=None, actor=Actor("worker"), counts=collections.Counter()
        )
    assert len(asked) == 0
