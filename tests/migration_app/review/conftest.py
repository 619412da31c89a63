"""Threads in review, and people who decide about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from migration_app.audit.accounts import accounts_unaudited
from migration_app.models import ReviewCase
from tests.migration_app.admin.estate import thread_made

InReview = Callable[..., ReviewCase]


@pytest.fixture
def in_review(db: None) -> InReview:
    """Make a thread in review; ``hours`` ago."""

    def make(code: str = "difference", *, hours: float = 0, **fields: Any) -> ReviewCase:
        thread = thread_made(status="needs_review", error_code=code, **fields)
        since = timezone.now() - dt.timedelta(hours=hours)
        ReviewCase.objects.filter(pk=thread.pk).update(entered_at=since)
        return ReviewCase.objects.get(pk=thread.pk)

    return make


@pytest.fixture
def reviewer(db: None) -> Callable[[str], User]:
    """Make a person who may decide."""

    def make(name: str, group: str = "operator") -> User:
        with accounts_unaudited():
            user = User.objects.create_user(name, is_staff=True)
            user.groups.add(Group.objects.get(name=group))
        return user

    return make
