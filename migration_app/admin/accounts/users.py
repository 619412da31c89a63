"""Users and groups, for superusers only: users who may change users could give themselves any permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from migration_app.admin.accounts.forms import PermissionsForm, PersonAddForm, PersonForm
from migration_app.admin.base.badges import Badge, badge_html
from migration_app.admin.base.columns import moment_column
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.model_admin import ListButton, OfferedOnly
from migration_app.admin.base.site import is_superuser
from migration_app.admin.lists.pages import ListPages
from migration_app.audit.groups import ROLES, role_give, role_of

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm

    _DjangoUserAdmin = DjangoUserAdmin[User]

    class _Skin:
        """Stands for django-unfold's ModelAdmin, which adds its widgets."""
else:
    from unfold.admin import ModelAdmin as _Skin
    from unfold.forms import AdminPasswordChangeForm

    _DjangoUserAdmin = DjangoUserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


class _SuperusersOnly(ListPages, OfferedOnly):
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


RoleFilter = choice_filter("role", "groups__name", [(name, name) for name in ROLES])
RoleFilter.parameter_name = "role"  # Django lets no address ask for a field of another table


@admin.register(User)
class UserAdmin(_SuperusersOnly, _DjangoUserAdmin, _Skin):
    """People and their roles. Permissions one by one are on a page of their own: roles are what is to be given."""

    form: Any = PersonForm
    add_form: Any = PersonAddForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "show_name", "email", "show_role", "show_active", "show_last_login")
    list_filter = (
        RoleFilter,
        choice_filter("active", "is_active", [("True", "yes"), ("False", "no")]),
    )
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Part of a name or address"
    actions = None
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "is_active")}),
        ("What they may do", {"fields": ("role",)}),
        ("Password", {"fields": ("password",)}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        ("What they may do", {"fields": ("role",)}),
    )

    show_last_login = moment_column("last sign-in", "last_login", order="last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the groups, so that a row costs no query of its own."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="name", ordering="last_name")
    def show_name(self, user: User) -> str:
        """First and last name."""
        return user.get_full_name() or "–"

    @admin.display(description="role")
    def show_role(self, user: User) -> str:
        """What the person may do."""
        role = role_of({group.name for group in user.groups.all()})
        if user.is_superuser:
            return badge_html(Badge("superuser", "warning"))
        return badge_html(Badge(role, "info") if role else Badge("no role", ""))

    @admin.display(description="active", ordering="is_active")
    def show_active(self, user: User) -> str:
        """Whether the person can sign in."""
        return "yes" if user.is_active else "no"

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **options: Any
    ) -> Any:
        """Roles by name; the single permissions where they were asked for."""
        if obj is not None and _asks_permissions(request):
            options["form"] = PermissionsForm
        return super().get_form(request, obj, change=change, **options)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """The same choice."""
        if obj is not None and _asks_permissions(request):
            fields = ("username", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")
            return ((None, {"fields": fields}),)
        return super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Everybody added here may sign in: without a role they are shown whom to ask, and nothing else."""
        if not isinstance(form, PermissionsForm):
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Give the role."""
        super().save_related(request, form, formsets, change)
        if "role" in form.cleaned_data:
            role_give(form.instance, form.cleaned_data["role"])

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list in the console's frame."""
        buttons = [ListButton("Add a user", "auth_user_add", "person_add", is_main=True)]
        context = {"list_buttons": buttons, **self.list_context(request), **(extra_context or {})}
        return super().changelist_view(request, context)


@admin.register(Group)
class GroupAdmin(_SuperusersOnly, DjangoGroupAdmin, _Skin):
    """Groups. The three of the console are put right again at each migrate."""

    actions = None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list in the console's frame."""
        buttons = [ListButton("Add a group", "auth_group_add", "group_add")]
        context = {"list_buttons": buttons, **self.list_context(request), **(extra_context or {})}
        return super().changelist_view(request, context)


def _asks_permissions(request: HttpRequest) -> bool:
    return "permissions" in request.GET
