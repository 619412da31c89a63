"""What people fill in to start a reconciliation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import capfirst

from migration_app.admin.base.forms import (
    CheckboxSelectMultiple,
    ConsoleForm,
    RadioSelect,
    WholeNumberField,
    described,
    reason_field,
)
from migration_app.reconciliation.kinds import CHECKS, DEFAULT_CHECKS
from migration_app.reconciliation.records import DEFAULT_SAMPLE

_MOST = 999_999_999


class _Checks(CheckboxSelectMultiple):
    """The checks; that of the live source can't be ticked where there is none."""

    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **options)
        if value == "live" and not settings.SOURCE_BASE_URL:
            option["attrs"]["disabled"] = True
        return option


class StartForm(ConsoleForm):
    """How much is compared, how, and by which checks."""

    scope = forms.ChoiceField(
        label="How much",
        choices=[
            (
                "sample",
                described("A sample", "Spread evenly over all threads. Another seed selects other threads."),
            ),
            (
                "whole",
                described(
                    "The whole estate",
                    "Every conversation is read back. It can be stopped and resumed.",
                ),
            ),
        ],
        initial="sample",
        widget=RadioSelect(),
    )
    sample = WholeNumberField(
        "Threads in the sample",
        what="The size of the sample",
        least=1,
        most=_MOST,
        required=False,
        initial=DEFAULT_SAMPLE,
    )
    seed = WholeNumberField("Seed", what="The seed", least=0, most=_MOST, required=False, initial=0)
    compare = forms.ChoiceField(
        label="Conversations",
        choices=[
            ("content", described("Compare content", "As Verify does: every item against the plan.")),
            (
                "ids",
                described(
                    "Compare item ids",
                    "The same calls with less work here: whether each item is there, once, in order.",
                ),
            ),
        ],
        initial="content",
        required=False,
        widget=RadioSelect(),
    )
    check = forms.MultipleChoiceField(
        label="Checks",
        initial=DEFAULT_CHECKS,
        widget=_Checks(),
        error_messages={"required": f"Choose at least one check: {', '.join(CHECKS)}."},
    )
    reason = reason_field(label="Reason (optional)", required=False, rows=2)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        no_source = "" if settings.SOURCE_BASE_URL else " (no live source is set)"
        self.fields["check"].choices = [  # type: ignore[attr-defined]  # a field of choices
            (
                name,
                described(capfirst(name), f"{capfirst(text)}{no_source if name == 'live' else ''}"),
            )
            for name, text in CHECKS.items()
        ]

    def clean_check(self) -> list[str]:
        """Refuse the check of a live source that there is not."""
        checks: list[str] = self.cleaned_data["check"]
        if "live" in checks and not settings.SOURCE_BASE_URL:
            raise forms.ValidationError("There is no live source to ask: SOURCE_BASE_URL is not set.")
        return checks

    def asked(self) -> dict[str, Any]:
        """What a form that is valid asks for, or one that was not sent yet: as the services take it."""
        found = self.cleaned_data if self.is_bound else {name: self[name].value() for name in self.fields}
        size = found["sample"]
        return {
            "checks": found["check"],
            "sample_size": None if found["scope"] == "whole" else DEFAULT_SAMPLE if size is None else size,
            "seed": found["seed"] or 0,
            "quick": found["compare"] == "ids",
        }
