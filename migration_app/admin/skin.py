"""The ground that all list pages stand on: django-unfold's ModelAdmin, read-only, with bounded counts.

Typed as Django's own ModelAdmin: django-unfold carries no annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class SkinAdmin(admin.ModelAdmin[M]):
        """Stands for django-unfold's ModelAdmin."""

    class SkinInline(admin.TabularInline[Any, Any]):
        """Stands for django-unfold's TabularInline."""

    SkinChangeList = ChangeList
    SkinPaginator = Paginator[Any]
else:
    SkinPaginator = Paginator
    from unfold.admin import ModelAdmin as _UnfoldAdmin
    from unfold.admin import TabularInline as _UnfoldInline
    from unfold.views import ChangeList as SkinChangeList

    class SkinAdmin(_UnfoldAdmin):
        """django-unfold's ModelAdmin, with the subscript that type checkers want."""

        def __class_getitem__(cls, _model: object) -> type:
            return cls

    class SkinInline(_UnfoldInline):
        """django-unfold's TabularInline."""


COUNTED_UP_TO = 10_000
"""Rows that a list counts: counting millions for each page view would cost seconds."""


class BoundedPaginator(SkinPaginator):
    """Counts at most COUNTED_UP_TO + 1 rows; further rows are reached by filters and search."""

    template_name = "migration_app/pagination.html"

    @cached_property
    def count(self) -> int:
        """How many rows there are, or one more than are counted."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: COUNTED_UP_TO + 1].count()
        return len(rows)

    @property
    def more(self) -> bool:
        """Whether there are rows that were not counted."""
        return self.count > COUNTED_UP_TO

    @property
    def count_text(self) -> str:
        """The count in words, for the foot of the list."""
        return f"more than {COUNTED_UP_TO:,}" if self.more else f"{self.count:,}"


class BoundedChangeList(SkinChangeList):
    """Keeps the heading quiet about totals that were never counted."""

    def get_results(self, request: HttpRequest) -> None:
        """Fill the page; without any filter the result is the full result."""
        super().get_results(request)
        if not (self.has_active_filters or self.query) or getattr(self.paginator, "more", False):
            self.full_result_count = self.result_count


class ReadOnlyAdmin(SkinAdmin[M]):
    """A list and a page a row, and nothing to add, change or delete."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True
    list_fullwidth = True
    paginator = BoundedPaginator
    sortable_by: ClassVar[Any] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:  # noqa: ARG002 - Django's signature
        """Offer nothing; Django itself would offer to delete."""
        return {}

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's
        """Use the list that counts within bounds."""
        return BoundedChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Rows come from imports and jobs only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002 - Django's
        """Rows are changed by services only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002 - Django's
        """Nothing is deleted here."""
        return False

    def list_url(self, query: str = "") -> str:
        """Address of this model's list."""
        meta = self.opts
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        return f"{url}?{query}" if query else url

    def page(
        self, request: HttpRequest, template: str, *, title: str, obj: Model | None = None, **context: Any
    ) -> HttpResponse:
        """Show a page of this model in the console's frame."""
        request.current_app = self.admin_site.name
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": title,
            "has_view_permission": True,
            **context,
        }
        return TemplateResponse(request, f"migration_app/{template}", whole)


class ReadOnlyInline(SkinInline):
    """Rows of a parent, for reading."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Rows come from jobs only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """Rows are changed by services only."""
        return False
