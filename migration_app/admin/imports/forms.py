"""What people fill in to import a file, and to cancel an import."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.text import capfirst

from migration_app.admin.base.forms import ConsoleForm, RadioSelect, TextInput, described, reason_field
from migration_app.models import SourceImport

_K = SourceImport.Kind
_DESCRIPTIONS = {
    _K.ARCHIVE: "JSON Lines, a JSON array or bundles of assistants, threads, messages, runs, steps, files; also .gz",
    _K.TRANSCRIPTS: "Your own records: JSON Lines or CSV with thread_id, role and content",
    _K.THREAD_IDS: "CSV with one thread id a line, optional user_ref and assistant id",
}


class UploadForm(ConsoleForm):
    """A file, what it holds, and why it is imported."""

    kind = forms.ChoiceField(
        label="What it holds",
        choices=[(kind.value, described(capfirst(kind.label), _DESCRIPTIONS[kind])) for kind in _K],
        initial=_K.ARCHIVE,
        widget=RadioSelect(),
    )
    file = forms.FileField(
        max_length=512, widget=forms.FileInput(), error_messages={"required": "Choose a file."}
    )
    reason = reason_field(rows=2)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["file"].label = f"File, at most {settings.UPLOAD_MAX_MB} MB"

    def clean_file(self) -> UploadedFile[bytes]:
        """Refuse a file that is too large, in case the request did not declare its size."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > upload_limit():
            raise forms.ValidationError(too_large_text())
        return file


class CancelForm(ConsoleForm):
    """Why an import is cancelled."""

    reason = reason_field(
        help_text="", asked="Say why the import is cancelled: it is kept in the audit trail."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].widget = TextInput(
            {"placeholder": "Reason", "aria-label": "Reason for cancelling", "maxlength": 2_000}
        )


def upload_limit() -> int:
    """Largest upload in bytes."""
    return settings.UPLOAD_MAX_MB * 1_000_000


def too_large_text() -> str:
    """Say what to do with a file that is too large."""
    return (
        f"The file is larger than {settings.UPLOAD_MAX_MB} MB, the most that can be uploaded (UPLOAD_MAX_MB). "
        "Import it on the server instead: manage.py import_archive PATH (thread ids: manage.py import_threads)."
    )
