"""The base of all list pages: django-unfold's ModelAdmin, read-only, its lists cut by admin.paging.

Typed as Django's own ModelAdmin: django-unfold carries no annotations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act, ActRefusedError
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.live import frame_for, is_live
from migration_app.admin.base.paging import BoundedPaginator
from migration_app.admin.lists.pages import ListPages
from migration_app.index_walks import Window, window_of
from migration_app.index_walks import walk as index_walk

M = TypeVar("M", bound=Model)
_LONGEST_NUMBER = 19
"""Digits; what is longer is no primary key."""

if TYPE_CHECKING:

    class SkinAdmin(admin.ModelAdmin[M]):
        """Stands for django-unfold's ModelAdmin."""

    class SkinInline(admin.TabularInline[Any, Any]):
        """Stands for django-unfold's TabularInline."""

else:
    from unfold.admin import ModelAdmin as _UnfoldAdmin
    from unfold.admin import TabularInline as _UnfoldInline

    class SkinAdmin(_UnfoldAdmin):
        """django-unfold's ModelAdmin, with the subscript that type checkers want."""

        def __class_getitem__(cls, _model: object) -> type:
            return cls

    class SkinInline(_UnfoldInline):
        """django-unfold's TabularInline."""


class OfferedOnly:
    """A list that takes no filter but its own, and no row but one that can be.

    Django lets an address ask for any lookup on any local field: a regular expression of somebody's own, run in the
    database, or a value that fails there.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow what the list's filters ask for, as far as a column can hold it."""
        parent: Any = super()
        if "\x00" in str(value) or not parent.lookup_allowed(lookup, value, request):
            return False
        offered: set[str] = set()
        for entry in cast("admin.ModelAdmin[Any]", self).get_list_filter(request):
            if isinstance(entry, str):
                offered |= {f"{entry}__exact", f"{entry}__isnull", f"{entry}__id__exact"}
            else:
                offered.add(str(getattr(entry, "parameter_name", "")))
        return lookup in offered

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *where: Any, **options: Any
    ) -> HttpResponse | None:
        """Do the action, if each of the rows that are ticked can be one."""
        if not all(row_key(text) is not None for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            messages.error(request, "What is ticked did not arrive whole: tick it again.")
            return None
        parent: Any = super()
        response: HttpResponse | None = parent.response_action(request, queryset, *where, **options)
        return response


def row_key(text: str) -> int | None:
    """Read a primary key; None if no row can have it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER else None


@dataclasses.dataclass(frozen=True, slots=True)
class ListButton:
    """A button above a list, for those with the permission (empty: all who see the list)."""

    label: str
    url_name: str
    icon: str
    permission: str = ""
    is_main: bool = False
    is_post: bool = False

    @property
    def url(self) -> str:
        """Where it leads."""
        return reverse(f"admin:{self.url_name}")


class ReadOnlyAdmin(ListPages, OfferedOnly, SkinAdmin[M]):
    """A list and a page a row, and nothing to add, change or delete."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True
    list_fullwidth = True
    paginator = BoundedPaginator
    list_buttons: ClassVar[Sequence[ListButton]] = ()

    # Fields by whose values an index holds the list in its order, the best for scanning first.
    # None: the table stays small, and any order will do.
    list_indexes: ClassVar[Sequence[tuple[str, ...]] | None] = None
    list_order: ClassVar[Sequence[str]] = ("id",)
    # Columns by which the whole list is sorted, with the fields of an index that holds all rows in that order.
    # A narrowed list, if it is short, is sorted by every column that has an ``order``; so is a small table.
    list_sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def list_count(self, fields: Mapping[str, Any]) -> int | None:  # noqa: ARG002 - for those who know
        """How many rows have these values, where that is known without counting."""
        return None

    def list_window(self, rows: QuerySet[M], fields: Mapping[str, Any], below: int | None) -> Window:
        """Scan rows for those with these values, which no index covers together."""
        best = next(index for index in self.list_indexes or [()] if fields.keys() >= set(index))
        rest = {name: value for name, value in fields.items() if name not in best}
        found = index_walk(rows, {name: fields[name] for name in best}, self.list_order)
        return window_of(found if below is None else _older(found, below, self.list_order[0]), rest)

    def found_by(self, rows: QuerySet[M], text: str) -> QuerySet[M] | None:  # noqa: ARG002 - for those who know
        """Rows that a search finds by exact values; None: Django searches ``search_fields``."""
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search as the list says, for nothing that no column can hold."""
        text = search_term.strip().replace("\x00", "")
        found = self.found_by(queryset, text) if text else queryset
        return super().get_search_results(request, queryset, text) if found is None else (found, False)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with the buttons that this person may use."""
        may = [
            button
            for button in self.list_buttons
            if not button.permission or request.user.has_perm(button.permission)
        ]
        here = urlencode({"back": request.get_full_path()})
        context = {"list_buttons": may, "here": here, **self.list_context(request), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:  # noqa: ARG002 - Django's signature
        """Offer nothing; Django itself would offer to delete."""
        return {}

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
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        obj: Model | None = None,
        http_status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        """Show a page of this model in the console's frame, or without it to who asks for a live part of it.

        400 where a form is to be corrected.
        """
        request.current_app = self.admin_site.name
        whole = {
            **({} if is_live(request) else self.admin_site.each_context(request)),
            "frame": frame_for(request),
            "opts": self.opts,
            "original": obj,
            "title": title,
            "has_view_permission": True,
            **context,
        }
        return TemplateResponse(request, f"migration_app/{template}", whole, status=http_status)


class RowPageAdmin(ReadOnlyAdmin[M]):
    """A list whose rows have pages of the console's own: users who may see the list may see them."""

    # What the page and its parts need of other tables, and what a row is called when there is none.
    row_related: ClassVar[Sequence[str]] = ()
    row_name: ClassVar[str] = ""

    acts: ClassVar[Mapping[str, Act]] = {}
    act_refusals: ClassVar[tuple[type[Exception], ...]] = (ActRefusedError,)

    def get_urls(self) -> list[URLPattern]:
        """Add the acts."""
        view = self.admin_site.admin_view(self.row_act_view)
        act = path("<int:pk>/act/<slug:act>/", view, name=self._url_name("act"))
        return [act, *super().get_urls()] if self.acts else super().get_urls()

    def act_urls(self, row: M) -> dict[str, str]:
        """Addresses of the acts on a row."""
        return {act: reverse(f"admin:{self._url_name('act')}", args=[row.pk, act]) for act in self.acts}

    def row_url(self, row: M) -> str:
        """Address of a row's page."""
        return reverse(f"admin:{self._url_name('change')}", args=[row.pk])

    def may_act(self, request: HttpRequest, row: M, act: str) -> bool:  # noqa: ARG002 - for those who know
        """Whether the person may do this at all; the services say whether the row's state lets it."""
        return request.user.has_perms(self.acts[act].permissions)

    def row_act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """POST: do it; back to the page, which says what came of it, or shows the form with what is wrong.

        GET leads to the page too: so does signing in again after a session that ended before the form was sent.
        """
        row = self.row_for(request, pk)
        if act not in self.acts:
            raise Http404(f"There is no act {act!r}.")
        if not self.may_act(request, row, act):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.row_url(row))
        form = self.acts[act].form(request.POST)
        if not form.is_valid():
            return self.row_page(request, row, **{act: form})
        try:
            with transaction.atomic():
                messages.success(request, self.acts[act].do(row, actor_of(request), form.cleaned_data))
        except self.act_refusals as error:
            messages.error(request, str(error))
            if form.fields:
                return self.row_page(request, self.row_for(request, pk), **{act: form})
        return HttpResponseRedirect(self.row_url(row))

    def _url_name(self, tail: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{tail}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Show one row; each list says how."""
        return self.row_page(request, self.row_for(request, object_id))

    def row_page(self, request: HttpRequest, row: M, /, **refused: ConsoleForm) -> HttpResponse:
        """Show the page of a row that the person may see; ``refused``: forms of it to be corrected, by act."""
        raise NotImplementedError

    def row_for(self, request: HttpRequest, pk: int | str, permission: str = "") -> M:
        """Find the row if the user may see it and has the permission, if one is required. Else 403, or 404."""
        if not self.has_view_permission(request) or (permission and not request.user.has_perm(permission)):
            raise PermissionDenied
        number = row_key(str(pk)) or 0
        rows: QuerySet[M] = self.model._default_manager.all()  # noqa: SLF001 - Django's name
        row = (rows.select_related(*self.row_related) if self.row_related else rows).filter(pk=number).first()
        if row is None:
            raise Http404(f"There is no such {self.row_name or self.opts.verbose_name}.")
        return row


def progress_json(
    *, is_open: bool, state: str, percent: int, text: str, counts: Mapping[str, Any], **more: Any
) -> JsonResponse:
    """Report progress to a page's script."""
    state_json = {
        "open": is_open,
        "state": state,
        "percent": percent,
        "text": text,
        "counts": dict(counts),
        **more,
    }
    return JsonResponse(state_json, headers={"Cache-Control": "no-store"})


def _older(rows: QuerySet[M], below: int, order: str) -> QuerySet[M]:
    """Rows after this one in their order."""
    if order == "id":
        return rows.filter(pk__lt=below)
    at = rows.model._base_manager.filter(pk=below).values_list(order, flat=True).first()  # noqa: SLF001 - Django's name
    return (
        rows.filter(Q(**{f"{order}__lt": at}) | Q(pk__lt=below), **{f"{order}__lte": at})
        if at
        else rows.none()
    )


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
