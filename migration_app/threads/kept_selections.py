"""Selections that an address can't hold: kept under a key for some weeks, for everybody who has the link.

Of no single person, because a link is for sending: who opens it needs the page's own permissions, and the rows are
primary keys only.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import KeptSelection

KEPT_FOR = dt.timedelta(days=30)
MOST_KEPT = 100_000
"""Rows of one selection; more are selected by a filter."""

_KEY_BYTES = 9


class SelectionTooLargeError(ValueError):
    """More rows were chosen one by one than are kept; the text says what to do."""


def selection_keep(*, model: str, pks: Sequence[int], actor: Actor) -> str:
    """Keep these rows of a model and return the key; old selections are deleted on the way."""
    if len(pks) > MOST_KEPT:
        raise SelectionTooLargeError(
            f"More than {MOST_KEPT:,} rows were chosen one by one. Narrow the list by a filter, and select all that "
            "match."
        )
    with transaction.atomic():
        KeptSelection.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
        kept = KeptSelection.objects.create(
            key=secrets.token_urlsafe(_KEY_BYTES),
            model=model,
            pks=sorted(pks),
            created_by_name=actor.name[:255],
        )
    return kept.key


def selection_kept(*, model: str, key: str) -> list[int] | None:
    """The rows under a key; None if there is no such selection, or it is too old."""
    kept = KeptSelection.objects.filter(
        key=key, model=model, created_at__gte=timezone.now() - KEPT_FOR
    ).first()
    return list(kept.pks) if kept else None
