"""Forms for people: a role by its name, and no permissions one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.forms.renderers import TemplatesSetting
from django.utils.html import format_html
from django.utils.safestring import SafeString

from migration_app.audit.groups import ROLES, role_of

if TYPE_CHECKING:
    from django.contrib.auth.forms import UserChangeForm, UserCreationForm
    from django.forms import RadioSelect

    _Creation = UserCreationForm[User]
    _Change = UserChangeForm[User]
else:
    from unfold.forms import UserChangeForm as _Change
    from unfold.forms import UserCreationForm as _Creation

    from migration_app.admin.base.forms import RadioSelect

_ACTIVE = "Better taken away than a person deleted: they can't sign in any more, and the audit trail stays readable."
NO_ROLE = "Signs in, and is shown whom to ask for a role."


def _label(name: str, text: str) -> SafeString:
    return format_html('<b>{}</b><br><span class="mc-small">{}</span>', name, text)


def role_field() -> forms.ChoiceField:
    """The roles, each with what it may do."""
    choices = [(name, _label(name, text)) for name, text in ROLES.items()]
    return forms.ChoiceField(
        label="Role",
        choices=[*choices, ("", _label("none yet", NO_ROLE))],
        required=False,
        widget=RadioSelect(),
        help_text="What a role may do is fixed by the console and put right again at each upgrade.",
    )


class PersonAddForm(_Creation):
    """A new person."""

    default_renderer = TemplatesSetting
    role = role_field()


class PersonForm(_Change):
    """A person, their names and their role."""

    default_renderer = TemplatesSetting
    role = role_field()

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial["role"] = role_of(set(self.instance.groups.values_list("name", flat=True)))
        self.fields["is_active"].help_text = _ACTIVE


class PermissionsForm(_Change):
    """Flags, groups and single permissions, for what no role covers."""
