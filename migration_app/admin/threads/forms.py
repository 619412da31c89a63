"""What people fill in on the pages of threads, runs and the orphan ledger."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import capfirst

from migration_app.admin.base.forms import (
    REASON_LENGTH,
    ConsoleForm,
    RadioSelect,
    Textarea,
    described,
    text_field,
)
from migration_app.models import OrphanConversation
from migration_app.snapshots.run_totals import Span

_S = OrphanConversation.State
_ENDS = {
    _S.DELETED: "Somebody found the empty conversation at the target and deleted it there",
    _S.ACCEPTED: "It is left: an empty conversation that nothing points to does no harm",
}


class CloseOrphanForm(ConsoleForm):
    """What became of a conversation that nobody can find, and how that is known."""

    state = forms.ChoiceField(
        label="Result",
        choices=[(state.value, described(capfirst(state.label), text)) for state, text in _ENDS.items()],
        widget=RadioSelect(),
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), "Say whether it was found and deleted, or is accepted."
        ),
    )
    note = text_field(
        "Note",
        length=REASON_LENGTH,
        required=True,
        widget=Textarea(2),
        help_text="How you know. Kept here and in the audit trail. No message content, no secrets.",
        error_messages={"required": "Say in the note how you know: it is kept in the audit trail."},
    )


class ReopenOrphanForm(ConsoleForm):
    """Why a closed entry is opened again; optional."""

    note = text_field("Note (optional)", length=REASON_LENGTH, widget=Textarea(2))


class RunTotalsForm(ConsoleForm):
    """Which totals of tokens."""

    assistant = text_field("Assistant id", length=255)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, label, example in (
            ("from", "First month", "2025-07"),
            ("to", "Last month", "2025-12"),
        ):
            self.fields[name] = text_field(label, length=7)
            self.fields[name].widget.attrs["placeholder"] = example

    def clean_from(self) -> str:
        """Ask the totals' own rule."""
        return _month(self.cleaned_data["from"])

    def clean_to(self) -> str:
        """The same for the last month."""
        return _month(self.cleaned_data["to"])

    @property
    def span(self) -> Span:
        """What a form that is valid asks for."""
        found = self.cleaned_data
        return Span(found["assistant"], found["from"], found["to"])


def _month(text: str) -> str:
    try:
        return Span(first=text).first
    except ValueError as error:
        raise forms.ValidationError(str(error)) from error
