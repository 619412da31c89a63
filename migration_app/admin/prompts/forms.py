"""What people fill in on the pages of assistants and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from migration_app.admin.base.forms import (
    REASON_LENGTH,
    ConsoleForm,
    ReasonForm,
    Select,
    Textarea,
    TextInput,
    reason_field,
    text_field,
)
from migration_app.admin.prompts.spec_fields import FIELDS, FormError, form_of_spec, spec_of_form
from migration_app.contracts import JsonObject
from migration_app.conversion.text import label
from migration_app.prompts.imports import MAX_FILE_BYTES

_MOST_FILES = 1_000
_MOST_BYTES = 64 << 20


class ConvertForm(ConsoleForm):
    """Why assistants are converted."""

    reason = reason_field(rows=3)


class CheckForm(ReasonForm):
    """Why an assistant is fetched again."""

    ids = "check-%s"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].label = "Fetch it again from the source, to see whether it has changed"
        self.fields["reason"].widget.attrs["placeholder"] = "Reason"


class OtherContentForm(ReasonForm):
    """Which content of an assistant counts from now on, and why."""

    other = forms.IntegerField(widget=forms.HiddenInput)


class ReviewForm(ConsoleForm):
    """A reviewer's comment; the review says where it is required."""

    comment = text_field(
        "Comment",
        length=REASON_LENGTH,
        widget=Textarea(2),
        help_text="Kept in the audit trail. No message content, no secrets.",
    )


class DashboardForm(ConsoleForm):
    """The id and version of a dashboard prompt, noted beside this one."""

    dashboard_prompt_id = text_field(
        "Dashboard prompt id", length=255, widget=TextInput({"placeholder": "pmpt_…"})
    )
    dashboard_prompt_version = text_field("Its version", length=64)

    def clean_dashboard_prompt_id(self) -> str:
        """Refuse what is no such id."""
        note: str = self.cleaned_data["dashboard_prompt_id"]
        if note and not note.startswith("pmpt_"):
            raise forms.ValidationError(
                "A dashboard prompt id begins with pmpt_ and has at most 255 characters."
            )
        return note

    def clean(self) -> dict[str, Any]:
        """Without an id there is no version of it."""
        if not self.cleaned_data.get("dashboard_prompt_id"):
            self.cleaned_data["dashboard_prompt_version"] = ""
        return self.cleaned_data


class CompareForm(ConsoleForm):
    """Which two versions are laid side by side; shown only, the address is read by itself."""

    def __init__(self, choices: Sequence[tuple[str, str]], **chosen: str) -> None:
        super().__init__(initial=chosen)
        for name, title in (("from", "Left"), ("to", "Right")):
            self.fields[name] = forms.ChoiceField(label=title, choices=choices, widget=Select())


class _FilesInput(forms.FileInput):
    """Django's documented way to take several files by one field."""

    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Several files, each checked as one."""

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        """Check each; none is refused like an empty field."""
        return [super(_FilesField, self).clean(file, initial) for file in data or [None]]


class PromptFilesForm(ConsoleForm):
    """Edited prompts that are brought back."""

    files = _FilesField(  # type: ignore[assignment]  # the metaclass takes fields away: form.files stays Django's
        label="Files (.json, .py)",
        widget=_FilesInput({"accept": ".json,.py"}),
        allow_empty_file=True,
        error_messages={"required": "Choose at least one .json or .py file."},
    )

    def clean_files(self) -> list[UploadedFile[bytes]]:
        """Refuse more than a request should carry, before anything of it is read."""
        files: list[UploadedFile[bytes]] = self.cleaned_data["files"]
        if len(files) > _MOST_FILES or sum(file.size or 0 for file in files) > _MOST_BYTES:
            raise forms.ValidationError(
                f"At most {_MOST_FILES} files and {_MOST_BYTES >> 20} MiB at once: "
                "use manage.py import_prompts instead."
            )
        for file in files:
            if (file.size or 0) > MAX_FILE_BYTES:
                raise forms.ValidationError(
                    f"{label(file.name)}: it is larger than any prompt. Nothing was imported."
                )
        return files

    def contents(self) -> list[tuple[str, bytes]]:
        """Names and bytes, as the import takes them."""
        return [(file.name or "", file.read()) for file in self.cleaned_data["files"]]


def _text(title: str, **attrs: Any) -> forms.CharField:
    return forms.CharField(label=title, required=False, strip=False, widget=TextInput(attrs))


def _code(title: str, rows: int, placeholder: str = "") -> forms.CharField:
    attrs = {"class": "mc-code", **({"placeholder": placeholder} if placeholder else {})}
    return forms.CharField(label=title, required=False, strip=False, widget=Textarea(rows, attrs))


class EditForm(ConsoleForm):
    """A prompt's spec in fields, and what was changed about it. ``spec`` once it is valid.

    Names of fields are those of the arguments; what has no separate field is in ``others``.
    """

    instructions = _code(
        "The instructions for the model. {{name}} marks a value that the application fills in.", 18
    )
    model = _text("Model", maxlength=255)
    temperature = _text("Temperature", inputmode="decimal", placeholder="0 to 2; empty: default")
    top_p = _text("Top p", inputmode="decimal", placeholder="0 to 1; empty: default")
    max_output_tokens = _text(
        "Most output tokens", inputmode="numeric", placeholder="16 or more; empty: no limit"
    )
    reasoning = _code("Reasoning", 3, '{"effort": "low"}')
    text = _code(
        "Text (format of the answer)",
        6,
        '{"format": {"type": "json_schema", "name": "…", "schema": {…}}}',
    )
    tools = _code(
        "A list, as responses.create takes it.",
        14,
        '[{"type": "function", "name": "…", "parameters": {…}, "strict": true}]',
    )
    metadata = _code("Metadata of each response", 4)
    others = _code("Other arguments", 4, '{"parallel_tool_calls": false}')
    note = text_field(
        "What changed, and why",
        length=REASON_LENGTH,
        required=True,
        help_text="Reviewers read it first. No message content, no secrets.",
        error_messages={"required": "Say briefly what changed and why: reviewers read it."},
    )

    def __init__(self, *args: Any, base: JsonObject, **options: Any) -> None:
        super().__init__(*args, initial=form_of_spec(base), use_required_attribute=False, **options)
        self._base = base
        self.spec: JsonObject = {}

    def clean(self) -> dict[str, Any]:
        """Read the fields as a spec; errors are shown at their fields."""
        errors: list[FormError] = []
        self.spec = spec_of_form(
            {name: self.cleaned_data.get(name, "") for name in FIELDS}, self._base, errors
        )
        for error in errors:
            self.add_error(error.field or None, error.text)
        return self.cleaned_data

    @property
    def error_count(self) -> int:
        """How many things are to be corrected at their fields."""
        return sum(len(texts) for field, texts in self.errors.items() if field in self.fields)


def say_what_is_needed(form: ConsoleForm, needed: Sequence[bool]) -> None:
    """Say beside these acts, in the label and to the browser, whether each needs a comment."""
    comment = form["comment"]
    if any(needed):
        comment.label = "Comment (needed to reject)" if len(needed) > 1 else "Comment (needed)"
        comment.field.widget.attrs["required"] = True
