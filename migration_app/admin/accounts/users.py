"""Users and groups, for superusers only: users who may change users could give themselves any permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from migration_app.admin.base.model_admin import OfferedOnly
from migration_app.admin.base.site import is_superuser

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

    _DjangoUserAdmin = DjangoUserAdmin[User]

    class _Skin:
        """Stands for django-unfold's ModelAdmin, which adds its widgets."""
else:
    from unfold.admin import ModelAdmin as _Skin
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

    _DjangoUserAdmin = DjangoUserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


class _SuperusersOnly(OfferedOnly):
    """Permissions that no group can give."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """See the models in the console's index."""
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """See them."""
        return is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Add them."""
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """Change them."""
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """Delete them."""
        return is_superuser(request)


@admin.register(User)
class UserAdmin(_SuperusersOnly, _DjangoUserAdmin, _Skin):
    """People, and the groups they belong to."""

    form: Any = UserChangeForm
    add_form: Any = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")


@admin.register(Group)
class GroupAdmin(_SuperusersOnly, DjangoGroupAdmin, _Skin):
    """Groups. The three of the console are put right again at each migrate."""
