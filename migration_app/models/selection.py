"""Selections that are too long for an address, kept under a short key for as long as such a link is of use."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class KeptSelection(models.Model):
    """Rows that a person ticked: primary keys of one table, and nothing else of them.

    Anybody who may open the confirm page may open it by the key: a link is sent to a colleague so that the colleague
    does the same. ``threads.kept_selections`` deletes rows that are older than its bound.
    """

    key = models.CharField(max_length=32, primary_key=True, db_collation="C")
    model = models.CharField("model that the keys belong to", max_length=64)
    pks = ArrayField(models.BigIntegerField())
    created_by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"selection {self.key}: {len(self.pks)} rows"
