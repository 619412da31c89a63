"""What people fill in to start a batch, and to change its throttle while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.html import format_html

from migration_app.admin.base.forms import (
    CheckboxInput,
    ConsoleForm,
    NumberInput,
    Select,
    reason_field,
)
from migration_app.batches.batches import MAX_RATE, throttle_check
from migration_app.batches.kinds import BatchKind, ThreadAction
from migration_app.contracts import Policies, policies_from, policy_choices
from migration_app.conversion.policies import POLICY_TEXTS
from migration_app.models import Batch
from migration_app.models.batch import DEFAULT_WINDOW, MAX_WINDOW
from migration_app.threads.plans import policies_summary

FEW = 20
"""So many threads, chosen one by one, are somebody waiting for them: proposed to go high priority."""

POLICY_FIELD = "policy-"
_THROTTLE = ("window", "requests_per_minute", "urgent")
_CONFIRM_FORM = "confirm-form"


class ThrottleForm(ConsoleForm):
    """How fast a batch goes. A form without the fields has the defaults."""

    window = forms.IntegerField(
        label="Calls in flight",
        help_text="in each worker",
        initial=DEFAULT_WINDOW,
        widget=NumberInput({"min": 1, "max": MAX_WINDOW, "step": 1}),
        error_messages=dict.fromkeys(("required", "invalid"), "Calls in flight must be a whole number."),
    )
    requests_per_minute = forms.IntegerField(
        label="Requests a minute",
        help_text="over all workers",
        required=False,
        widget=NumberInput({"min": 1, "max": MAX_RATE, "step": 1, "placeholder": "target's limit"}),
        error_messages={"invalid": "Requests a minute must be a whole number."},
    )
    urgent = forms.BooleanField(
        label="High priority",
        help_text="Workers make room for it within a second. For threads that somebody waits for.",
        required=False,
        widget=CheckboxInput(),
    )

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        if data is not None and "window" not in data:
            data = data.copy()
            data["window"] = str(DEFAULT_WINDOW)
        super().__init__(data, **options)

    def clean_window(self) -> int:
        """Ask the batches' own rule."""
        window: int = self.cleaned_data["window"]
        _ask(window=window)
        return window

    def clean_requests_per_minute(self) -> int | None:
        """The same for the rate; empty: the target's limit."""
        rate: int | None = self.cleaned_data["requests_per_minute"]
        _ask(requests_per_minute=rate)
        return rate

    @property
    def throttle(self) -> dict[str, Any]:
        """The fields as services take them."""
        return {name: self.cleaned_data[name] for name in _THROTTLE if name in self.fields}


def _ask(*, window: int = DEFAULT_WINDOW, requests_per_minute: int | None = None) -> None:
    try:
        throttle_check(window=window, requests_per_minute=requests_per_minute)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from error


def throttle_of_batch(batch: Batch) -> dict[str, Any]:
    """The values that a batch has now."""
    return {name: getattr(batch, name) for name in _THROTTLE}


def throttle_proposed(selection: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a confirm page proposes for these threads."""
    pks, filters = selection.get("ids"), selection.get("filters")
    one = isinstance(filters, dict) and bool(filters.get("thread_id__exact"))
    return {"urgent": one or (isinstance(pks, list) and len(pks) <= FEW)}


class _PolicySelect(Select):
    """A policy's choices; the page's script shows what the chosen one means."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        # On Back the browser must not put another choice beside the figures of this one.
        attrs = {"class": "mc-select", "form": _CONFIRM_FORM, "data-policy": "", "autocomplete": "off"}
        super().__init__(attrs)
        self._texts = texts

    def create_option(self, *args: Any, **options: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(*args, **options)
        option["attrs"] = {"data-text": self._texts[option["value"]], **option["attrs"]}
        return option


class ConfirmForm(ThrottleForm):
    """All that the confirm page of an action asks: a reason, its options, policies and throttle, as far as it has them.

    ``policies`` are those that were chosen, the defaults until the form is found valid.
    """

    reason = reason_field(rows=3, help_text="Kept in the audit trail. No message content, no secrets.")

    def __init__(self, data: QueryDict | None = None, *, action: ThreadAction, **options: Any) -> None:
        super().__init__(data, **options)
        kind = action.counted
        self.policies = Policies()
        self.option_names = [option.name for option in action.options]
        if not action.reason_required:
            self.fields["reason"].required = False
            self.fields["reason"].label = "Reason (optional)"
        if not (isinstance(action, BatchKind) and action.calls_api):
            for name in _THROTTLE:
                del self.fields[name]
        for option in action.options:
            self.fields[option.name] = forms.BooleanField(
                label=option.label,
                help_text=format_html('<span class="mc-error">{}</span>', option.warning),
                required=False,
                widget=CheckboxInput(),
            )
        if kind is not None and kind.converts:
            for name, choices in policy_choices().items():
                self.fields[POLICY_FIELD + name] = _policy_field(name, choices)

    @classmethod
    def of_address(
        cls, params: QueryDict, *, action: ThreadAction, proposed: Mapping[str, Any]
    ) -> ConfirmForm:
        """The form with what an address chooses. ValueError for a policy or a choice that there is not.

        A box with a warning is never ticked by an address.
        """
        form = cls(action=action)
        given = {
            name: _given(form.fields[name], str(params[name]))
            for name in form.address_names
            if name in params
        }
        form.initial = {**proposed, **given}
        if form.has_policies:
            form.policies = policies_from(_policies(params))
        return form

    @property
    def typed_rate(self) -> int | None:
        """The requests a minute as typed or as in the address; None if that is no rate."""
        if "requests_per_minute" not in self.fields:
            return None
        text = str(self["requests_per_minute"].value() or "")
        try:
            rate = self.fields["requests_per_minute"].clean(text)
            _ask(requests_per_minute=rate)
        except forms.ValidationError:
            return None
        return int(rate) if rate else None

    @property
    def address_names(self) -> list[str]:
        """Fields that an address may choose: all but what is typed, and boxes with a warning."""
        return [name for name in self.fields if name != "reason" and name not in self.option_names]

    def for_address(self, proposed: Mapping[str, Any]) -> dict[str, str]:
        """What was posted and is not what the page proposes by itself, as parameters of its address."""
        plain = {name: self.fields[name].initial for name in self.address_names} | dict(proposed)
        posted = {
            name: ("1" if name in self.data else "0")
            if isinstance(self.fields[name], forms.BooleanField)
            else str(self.data.get(name, ""))
            for name in self.address_names
        }
        return {
            name: value
            for name, value in posted.items()
            if _given(self.fields[name], value) not in (plain[name], str(plain[name] or ""))
        }

    @property
    def has_policies(self) -> bool:
        """Whether policies mean something to what is confirmed."""
        return any(name.startswith(POLICY_FIELD) for name in self.fields)

    def clean(self) -> dict[str, Any]:
        """Read the policies by their own rule; refuse to start under others than the page counted."""
        try:
            self.policies = policies_from(_policies(self.data))
        except ValueError as error:
            raise forms.ValidationError(str(error), code="policies") from error
        shown = policies_summary(self.policies)
        if self.data.get("counted", shown) != shown:
            # Nobody starts what was not shown: the figures were those of other policies.
            raise forms.ValidationError(
                "You chose other policies than the figures were for. They were recalculated: confirm again.",
                code="counted",
            )
        return self.cleaned_data

    @property
    def settings(self) -> dict[str, Any]:
        """The batch's settings besides its policies: the options that were ticked."""
        return {name: True for name in self.option_names if self.cleaned_data[name]}


def _policies(data: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.removeprefix(POLICY_FIELD): str(value)
        for name, value in data.items()
        if name.startswith(POLICY_FIELD)
    }


def _given(field: forms.Field, text: str) -> Any:
    return text not in ("", "0") if isinstance(field, forms.BooleanField) else text


def _policy_field(name: str, choices: tuple[str, ...]) -> forms.ChoiceField:
    texts = POLICY_TEXTS[name]
    return forms.ChoiceField(
        label=texts.title,
        choices=[
            (choice, choice if place else f"{choice} (default)") for place, choice in enumerate(choices)
        ],
        initial=choices[0],
        required=False,
        widget=_PolicySelect(texts.choices),
    )
