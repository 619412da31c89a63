"""What people fill in on the review pages: filters of the queue, a decision, an assignment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, QueryDict

from migration_app.admin.base.forms import (
    REASON_LENGTH,
    ConsoleForm,
    Select,
    TextInput,
    WholeNumberField,
    text_field,
)
from migration_app.models import Assistant
from migration_app.review.assignments import reviewers
from migration_app.review.queue import NOBODY, QueueFilter
from migration_app.review.reasons import FITTING_TEMPLATES, TEMPLATES, reason_text

ME = "me"
_LARGEST = 2**63 - 1


def _plain(widget: Any, **attributes: Any) -> Any:
    widget.attrs.update(attributes)
    return widget


class FilterForm(ConsoleForm):
    """What the queue is narrowed by, in the address: an address means the same to everybody, but for *me*."""

    assistant = text_field("Assistant", length=255, widget=_plain(TextInput(), placeholder="name or id"))
    batch = WholeNumberField("Batch", least=1, most=_LARGEST, required=False)
    user = text_field("User", length=512, widget=_plain(TextInput(), placeholder="exact reference"))
    who = forms.ChoiceField(label="Assigned to", required=False, widget=Select())
    code = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput())

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET)
        self._me = request.user.pk
        people = [(str(person.pk), person.get_username()) for person in reviewers()]
        choices = [("", "anybody or nobody"), (ME, "me"), (NOBODY, "nobody"), *people]
        self.fields["who"] = forms.ChoiceField(
            label="Assigned to", required=False, widget=Select(), choices=choices
        )
        self.fields["batch"].widget.attrs.pop("required", None)

    def clean_assistant(self) -> int | None:
        """Find it by its id, else by its whole name."""
        text = self.cleaned_data["assistant"].strip()
        if not text:
            return None
        found = (
            Assistant.objects.filter(assistant_id=text).first() or Assistant.objects.filter(name=text).first()
        )
        if found is None:
            raise forms.ValidationError("There is no assistant with this id or name.")
        return int(found.pk)

    def chosen(self) -> QueueFilter:
        """The filter, of what is valid; ``code`` only where the address names one, an empty one included."""
        self.full_clean()
        given = self.cleaned_data
        who = given.get("who", "")
        return QueueFilter(
            code=given.get("code", "") if "code" in self.data else None,
            assistant=given.get("assistant"),
            batch=given.get("batch"),
            user=given.get("user", ""),
            who=str(self._me) if who == ME else who,
        )

    def query(self, **changes: str | None) -> str:
        """The filter as a query string, with changes (None: without); what is not valid is left out."""
        names = [name for name in self.fields if name in self.data and name not in self.errors]
        values: dict[str, str | None] = {name: str(self.data[name]) for name in names}
        kept = {
            name: value
            for name, value in (values | changes).items()
            if value is not None and (value or name == "code")
        }
        return f"?{urlencode(kept)}" if kept else ""


class DecisionForm(ConsoleForm):
    """Why: a standard reason that fits one of the ``kinds`` of action, and more in one's own words.

    ``confirmed``: the page asked whether this is meant.
    """

    template = forms.ChoiceField(label="Reason", required=False, widget=Select())
    text = text_field(
        "In your own words", length=REASON_LENGTH, widget=_plain(TextInput(), placeholder="optional")
    )
    confirmed = forms.BooleanField(required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        standard: str,
        kinds: Iterable[str] = tuple(FITTING_TEMPLATES),
        dangerous: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        self._standard, self._dangerous = standard, dangerous
        fitting = dict.fromkeys(name for kind in kinds for name in FITTING_TEMPLATES[kind])
        self.fields["template"] = forms.ChoiceField(
            label="Reason",
            required=False,
            widget=Select(),
            choices=[
                ("", "The action's standard reason"),
                *((name, TEMPLATES[name]) for name in fitting),
                ("none", "No standard reason"),
            ],
        )

    def clean(self) -> dict[str, Any]:
        """Put the reason together; a dangerous action needs its confirmation."""
        if self._dangerous and not self.cleaned_data.get("confirmed"):
            raise forms.ValidationError("Confirm this action: it can't be taken back.")
        template = self.cleaned_data.get("template") or self._standard
        reason = reason_text(template, self.cleaned_data.get("text", ""))
        if not reason:
            raise forms.ValidationError("Say why: the reason is kept in the audit trail.")
        return {**self.cleaned_data, "reason": reason}


class AssignForm(ConsoleForm):
    """Who is to decide; empty: nobody. ``seen``: whom the page showed as assigned."""

    person = forms.ModelChoiceField(
        queryset=User.objects.none(), required=False, widget=Select(), label="Assigned to"
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput())

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["person"] = forms.ModelChoiceField(
            queryset=reviewers(), required=False, widget=Select(), label="Assigned to", empty_label="nobody"
        )
