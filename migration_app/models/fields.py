"""Field shapes that several models share."""

from __future__ import annotations

from django.db import models

MAX_ID_LENGTH = 255


def opaque_id(verbose_name: str, *, blank: bool = False) -> models.CharField[str, str]:
    """A foreign id: any string, compared byte by byte.

    Uniqueness is declared as a constraint beside it, not with ``unique=True``: Django would add a second,
    LIKE-friendly index, and on millions of rows that costs as much as all the others (measured).
    """
    return models.CharField(verbose_name, max_length=MAX_ID_LENGTH, db_collation="C", blank=blank)
