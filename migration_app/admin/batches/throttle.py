"""The form fields that say how fast a batch goes: on the confirm page before it starts, on its page while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from migration_app.batches.batches import MAX_RATE, speed_check
from migration_app.models import Batch
from migration_app.models.batch import DEFAULT_WINDOW, MAX_WINDOW

FEW = 20
"""So many threads, chosen one by one, are somebody waiting for them: proposed to go before other batches."""


@dataclasses.dataclass(frozen=True, slots=True)
class Speed:
    """Threads in flight in each worker, requests a minute over all of them (None: the target's limit), urgent."""

    window: int = DEFAULT_WINDOW
    requests_per_minute: int | None = None
    urgent: bool = False


def speed_of_form(data: QueryDict) -> Speed:
    """Read the fields; a form without them gets the defaults. ValueError in words for operators."""
    if "window" not in data:
        return Speed()
    rate = data.get("requests_per_minute", "").strip()
    speed = Speed(
        window=_number("Threads in flight", str(data["window"]).strip()),
        requests_per_minute=_number("Requests a minute", rate) if rate else None,
        urgent="urgent" in data,
    )
    speed_check(window=speed.window, requests_per_minute=speed.requests_per_minute)
    return speed


def speed_of_batch(batch: Batch) -> Speed:
    """The speed that a batch has now."""
    return Speed(batch.window, batch.requests_per_minute, batch.urgent)


def speed_proposed(selection: Mapping[str, Any]) -> Speed:
    """The speed that a confirm page proposes for these threads."""
    pks, filters = selection.get("ids"), selection.get("filters")
    one = isinstance(filters, dict) and bool(filters.get("thread_id__exact"))
    return Speed(urgent=one or (isinstance(pks, list) and len(pks) <= FEW))


def speed_fields(speed: Speed, data: QueryDict | None = None) -> dict[str, Any]:
    """What stands in the fields: as they were sent, so that nobody types twice, or this speed."""
    sent = data is not None and "window" in data
    return {
        "window": data["window"] if data is not None and sent else speed.window,
        "rate": data.get("requests_per_minute", "")
        if data is not None and sent
        else speed.requests_per_minute or "",
        "urgent": "urgent" in data if data is not None and sent else speed.urgent,
        "max_window": MAX_WINDOW,
        "max_rate": MAX_RATE,
    }


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{name} must be a whole number, not {text[:20]!r}.")
    return int(text)
