"""What a person asks of a reconciliation, as the start page reads and shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import QueryDict

from migration_app.reconciliation.estimate import calls_estimate
from migration_app.reconciliation.kinds import CHECKS, DEFAULT_CHECKS
from migration_app.reconciliation.records import DEFAULT_SAMPLE

_MOST_DIGITS = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The form, read. ``sample_size`` None: everything. ``error``: what of it can't be read."""

    checks: Sequence[str]
    sample_size: int | None
    seed: int
    quick: bool
    reason: str
    error: str = ""


def asked_for(data: QueryDict) -> Asked:
    """Read the form; a page that is opened without one asks for the defaults."""
    fresh = "scope" not in data
    sample, sample_error = _number(data.get("sample", ""), DEFAULT_SAMPLE, "The size of the sample", 1)
    seed, seed_error = _number(data.get("seed", ""), 0, "The seed", 0)
    error = sample_error or seed_error
    checks = list(DEFAULT_CHECKS) if fresh else [name for name in data.getlist("check") if name in CHECKS]
    if "live" in checks and not settings.SOURCE_BASE_URL:
        error = error or "There is no live source to ask: SOURCE_BASE_URL is not set."
    return Asked(
        checks=checks,
        sample_size=None if data.get("scope") == "whole" else sample,
        seed=seed,
        quick=data.get("compare") == "ids",
        reason=data.get("reason", "").replace("\x00", "").strip()[:2_000],
        error=error,
    )


def form_context(asked: Asked) -> dict[str, Any]:
    """What the page shows of it, with the calls that it would take."""
    estimate = calls_estimate(
        checks=asked.checks, sample_size=asked.sample_size, seed=asked.seed, quick=asked.quick
    )
    about = "" if estimate.exact else "about "
    figures = [
        ("Conversations read", f"{about}{estimate.threads:,}"),
        ("Calls to the target", f"{about}{estimate.target_calls:,}"),
    ]
    if "live" in asked.checks:
        figures.append(("Calls to the live source", f"{estimate.live_calls:,}"))
    return {
        "asked": asked,
        "figures": figures,
        "sample": asked.sample_size or DEFAULT_SAMPLE,
        "checks": [
            {
                "name": name,
                "words": words,
                "checked": name in asked.checks,
                "disabled": name == "live" and not settings.SOURCE_BASE_URL,
            }
            for name, words in CHECKS.items()
        ],
    }


def _number(text: str, default: int, what: str, least: int) -> tuple[int, str]:
    text = text.strip()
    if not text:
        return default, ""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) >= least):
        return default, f"{what} must be a whole number, {least} or more."
    return int(text), ""
