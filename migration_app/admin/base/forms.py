"""What all forms of the console are made of: one base, its widgets (django-unfold's), and the field for a reason.

A form reads, checks and shows again what a person typed; whether something may be done is the services' business,
which forms ask in their ``clean_…``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from django.forms import CheckboxInput as _CheckboxInput
    from django.forms import CheckboxSelectMultiple as _CheckboxSelectMultiple
    from django.forms import NumberInput as _NumberInput
    from django.forms import RadioSelect as _RadioSelect
    from django.forms import Select as _Select
    from django.forms import Textarea as _Textarea
    from django.forms import TextInput as _TextInput
else:
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as _CheckboxSelectMultiple
    from unfold.widgets import UnfoldAdminIntegerFieldWidget as _NumberInput
    from unfold.widgets import UnfoldAdminRadioSelectWidget as _RadioSelect
    from unfold.widgets import UnfoldAdminSelectWidget as _Select
    from unfold.widgets import UnfoldAdminTextareaWidget as _Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as _TextInput
    from unfold.widgets import UnfoldBooleanWidget as _CheckboxInput

REASON_LENGTH = 2_000
"""Characters of a reason, comment or note; that of a judgement is longer."""


class ConsoleRenderer(TemplatesSetting):
    """Shows a field with its label, help and errors in the console's own frame."""

    form_template_name = "migration_app/base/form.html"
    field_template_name = "migration_app/base/field.html"


class TextInput(_TextInput):
    """One line."""


class Textarea(_Textarea):
    """Several lines. Django's template: a text that begins with an empty line keeps it."""

    template_name = "django/forms/widgets/textarea.html"

    def __init__(self, rows: int = 3, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__({"rows": rows, **(attrs or {})})


class NumberInput(_NumberInput):
    """A number, with the browser's arrows."""


class Select(_Select):
    """One of several, folded."""


class CheckboxInput(_CheckboxInput):
    """A box to tick."""


class RadioSelect(_RadioSelect):
    """One of several, each described; see ``described``."""

    template_name = "migration_app/base/choices.html"


class CheckboxSelectMultiple(_CheckboxSelectMultiple):
    """Any of several, each described; see ``described``."""

    template_name = "migration_app/base/choices.html"


class ConsoleForm(forms.Form):
    """A form as the console's pages have them: ids are names, and no text holds what no column can."""

    default_renderer = ConsoleRenderer
    ids: ClassVar[str] = "%s"
    """Other ids for a form that stands on its page beside one with the same names."""

    def __init__(self, data: Mapping[str, Any] | None = None, *args: Any, **options: Any) -> None:
        options = {"auto_id": self.ids, "label_suffix": "", **options}
        super().__init__(storable(data) if isinstance(data, QueryDict) else data, *args, **options)

    def error_text(self) -> str:
        """All that is wrong, in one line: for a message on a page that does not show the form."""
        return " ".join(str(text) for texts in self.errors.values() for text in texts)


def storable(data: QueryDict) -> QueryDict:
    """What was sent, without U+0000, which PostgreSQL can't keep, and with the line ends that were typed."""
    plain = data.copy()
    for name, values in data.lists():
        plain.setlist(name, [str(value).replace("\x00", "").replace("\r\n", "\n") for value in values])
    return plain


def text_field(label: str, *, length: int, required: bool = False, **options: Any) -> forms.CharField:
    """A text; one line unless a widget is given."""
    return forms.CharField(
        label=label, max_length=length, required=required, **{"widget": TextInput(), **options}
    )


class WholeNumberField(forms.IntegerField):
    """A whole number within bounds; thousands may be separated by commas."""

    def __init__(
        self,
        label: str,
        *,
        least: int | None = None,
        most: int | None = None,
        what: str = "",
        refusal: str = "",
        **options: Any,
    ) -> None:
        bounds = "" if least is None or most is None else f", {least:,} to {most:,}"
        refusal = refusal or f"{what or label} must be a whole number{bounds}."
        super().__init__(
            label=label,
            min_value=least,
            max_value=most,
            widget=NumberInput(),
            error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), refusal),
            **options,
        )

    def to_python(self, value: Any) -> int | None:
        """Read it."""
        number: int | None = super().to_python(value.replace(",", "") if isinstance(value, str) else value)
        return number


def reason_field(
    *,
    label: str = "Reason",
    required: bool = True,
    rows: int = 1,
    help_text: str = "Kept in the audit trail.",
    asked: str = "Say why: the reason is kept in the audit trail.",
) -> forms.CharField:
    """Why something is done; ``asked`` is said where it is missing."""
    return forms.CharField(
        label=label,
        max_length=REASON_LENGTH,
        required=required,
        widget=TextInput() if rows == 1 else Textarea(rows),
        help_text=help_text,
        error_messages={"required": asked},
    )


class ReasonForm(ConsoleForm):
    """A reason, and nothing else."""

    reason = reason_field(help_text="")


def described(title: str, description: str) -> SafeString:
    """The label of a choice that says what it means."""
    return format_html('<b class="mc-strong">{}</b><br><span class="mc-soft">{}</span>', title, description)
