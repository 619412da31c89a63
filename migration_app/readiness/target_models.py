"""Models of the target: what its list said, and what that means for a prompt that names one. Calls no API."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
from collections.abc import Iterable
from typing import Literal

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from migration_app.archive.ids import storable_text
from migration_app.archive.times import moment_of
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.gateways.models_list import ListedModel
from migration_app.models import TargetModel
from migration_app.models.fields import MAX_ID_LENGTH

NEAR_DAYS = 90
"""A model that shuts down within so many days is near its end: time to choose, try and review another."""

Severity = Literal["error", "warning", "unknown"]

_WRITTEN = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%Y%m%d")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelProblem:
    """What prevents using something. error: calls fail; warning: they will; unknown: not checked yet."""

    code: str
    severity: Severity
    text: str


def target_models_record(*, listed: Iterable[ListedModel], actor: Actor) -> int:
    """Keep the target's list: what is new, what it says now, what has left it. Returns how many it holds."""
    now = timezone.now()
    rows = {
        model.id: TargetModel(
            model_id=model.id,
            owned_by=storable_text(model.owned_by, MAX_ID_LENGTH),
            created_at=moment_of(model.created),
            shutdown_on=shutdown_day(model.shutdown_date),
            shutdown_text=_unread(model.shutdown_date),
            is_listed=True,
            first_seen_at=now,
            last_seen_at=now,
        )
        for model in listed
        if model.id.isprintable() and len(model.id) <= MAX_ID_LENGTH
    }
    with transaction.atomic():
        TargetModel.objects.bulk_create(
            list(rows.values()),
            batch_size=500,
            update_conflicts=True,
            unique_fields=["model_id"],
            update_fields=[
                *("owned_by", "created_at", "shutdown_on", "shutdown_text", "is_listed", "last_seen_at"),
            ],
        )
        TargetModel.objects.filter(is_listed=True, last_seen_at__lt=now).update(is_listed=False)
        audit_record(
            actor=actor,
            verb="readiness.models_listed",
            subject_kind="target",
            subject_id="models",
            reason=f"{len(rows)} models.",
        )
    return len(rows)


def models_to_choose() -> QuerySet[TargetModel]:
    """Models that a prompt can be given: listed, and not about to go."""
    end = today() + dt.timedelta(days=NEAR_DAYS)
    return TargetModel.objects.filter(is_listed=True).exclude(shutdown_on__lte=end)


def model_problem(model: str, row: TargetModel | None, *, looked: bool, on: dt.date) -> ModelProblem | None:
    """Judge a model that a prompt names on a day, by its row; ``looked``: the target's list was read at all."""
    if not model:
        return ModelProblem("model_missing", "error", "It names no model.")
    if row is None and not looked:
        return ModelProblem(
            "model_not_looked_at", "unknown", "Nobody has asked the target for its models yet."
        )
    if row is None:
        return ModelProblem("model_unknown", "error", "The target does not list this model.")
    day = row.shutdown_on
    if day is not None and day <= on:
        return ModelProblem("model_shut_down", "error", f"The model shut down on {day.isoformat()}.")
    if not row.is_listed:
        last = row.last_seen_at.date().isoformat()
        return ModelProblem(
            "model_gone", "error", f"The target lists this model no more; it last did on {last}."
        )
    if day is not None and (day - on).days <= NEAR_DAYS:
        days = (day - on).days
        return ModelProblem(
            "model_near_its_end", "warning", f"The model shuts down on {day.isoformat()}, in {days} days."
        )
    if row.shutdown_text:
        return ModelProblem(
            "shutdown_date_unreadable", "warning", f"The target gives a shutdown date: {row.shutdown_text!r}."
        )
    return None


def today() -> dt.date:
    """The day it is in UTC."""
    return timezone.now().astimezone(dt.UTC).date()


def shutdown_day(value: object) -> dt.date | None:
    """Read a day: the description's ``2027-04-30``, or a moment, Unix seconds, or a day as people write it."""
    if isinstance(value, str):
        text = value.strip()
        for form in _WRITTEN:  # before numbers: 20270430 is a day
            try:
                return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC).date()
            except ValueError:
                continue
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            pass
        try:
            return email.utils.parsedate_to_datetime(text).astimezone(dt.UTC).date()
        except (ValueError, OverflowError):
            pass
    moment = moment_of(value)
    return moment.date() if moment else None


def _unread(value: object) -> str:
    if value in (None, "", 0) or shutdown_day(value) is not None:
        return ""
    return storable_text(value if isinstance(value, str) else type(value).__name__, 64)
