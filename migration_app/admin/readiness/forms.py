"""What people fill in to put another model in the place of one."""

from __future__ import annotations

from typing import Any

from django import forms

from migration_app.admin.base.forms import REASON_LENGTH, ConsoleForm, Textarea, TextInput
from migration_app.admin.base.model_admin import row_key
from migration_app.prompts.model_replace import ReplacementRefusedError, model_check


class ModelForm(ConsoleForm):
    """The new model; the page offers those that the target has."""

    to = forms.CharField(
        label="New model",
        required=False,
        widget=TextInput({"list": "models", "maxlength": 255, "required": True, "autocomplete": "off"}),
    )

    def clean_to(self) -> str:
        """Ask the replacement's own rule."""
        try:
            return model_check(self.cleaned_data["to"])
        except ReplacementRefusedError as error:
            raise forms.ValidationError(str(error)) from error


class _VersionsField(forms.MultipleChoiceField):
    """Versions that are ticked. One that is gone meanwhile is no mistake: the page says that it was left."""

    def valid_value(self, value: Any) -> bool:
        return row_key(str(value)) is not None


class ReplaceForm(ModelForm):
    """In which versions, and why."""

    version = _VersionsField(required=False)
    reason = forms.CharField(
        label="Reason",
        max_length=REASON_LENGTH,
        widget=Textarea(2),
        help_text="Kept with each version and in the audit trail.",
        error_messages={"required": "Say why the model is replaced: it is kept with each version."},
    )

    def clean_version(self) -> list[int]:
        """Their keys."""
        return [int(pk) for pk in self.cleaned_data["version"]]
