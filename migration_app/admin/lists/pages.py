"""What a list's admin class serves besides the list: its sheet of filters, a person's saved filters, its download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from migration_app.admin.base.filters import ConsoleFilter
from migration_app.admin.base.paging import BoundedChangeList
from migration_app.admin.lists.exports import Columns, list_csv
from migration_app.admin.lists.saved_filters import (
    SavedFilterForm,
    SavedFilterRefusedError,
    kept_query,
    saved_filter_act,
    saved_filters,
)
from migration_app.admin.lists.sheet import choices, kept_params

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = object


class FilterSheet(BoundedChangeList):
    """A list of which only the filters are read."""

    def get_results(self, request: HttpRequest) -> None:  # noqa: ARG002 - Django's
        """Read no rows."""
        self.result_list, self.result_count, self.full_result_count = [], 0, None
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False


class ListPages(_Admin):
    """The list itself in the console's frame, and its further addresses. To be mixed into an admin class."""

    change_list_template = "migration_app/base/list.html"
    changelist_class: ClassVar[type[BoundedChangeList]] = BoundedChangeList
    list_indexes: ClassVar[Any] = None
    list_sorts: ClassVar[Any] = {}
    export_columns: ClassVar[Columns] = {}

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> type[ChangeList]:
        """Use the list of the class, or the one that reads its filters only."""
        match = request.resolver_match
        narrowed_only = {self.list_url_name("list_filters"), self.list_url_name("list_export")}
        return FilterSheet if match and match.url_name in narrowed_only else self.changelist_class

    def list_url_name(self, tail: str) -> str:
        """Name of one of the list's addresses."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{tail}"

    def get_urls(self) -> list[URLPattern]:
        """Add the sheet, the saved filters and the download."""
        wrap = self.admin_site.admin_view
        return [
            path("list/filters/", wrap(self.filters_view), name=self.list_url_name("list_filters")),
            path("list/saved/", wrap(self.saved_view), name=self.list_url_name("list_saved")),
            path("list/export/", wrap(self.list_export_view), name=self.list_url_name("list_export")),
            *super().get_urls(),
        ]

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the list's template shows besides its rows."""
        query = kept_query(request.GET, self._offered(request))
        filters_url = reverse(f"admin:{self.list_url_name('list_filters')}")
        return {
            "saved_filters": [
                {"row": row, "url": f"?{row.query}", "is_open": row.query == query}
                for row in saved_filters(request, self._list_name)
            ],
            "saved_url": reverse(f"admin:{self.list_url_name('list_saved')}"),
            "filters_url": f"{filters_url}?{request.GET.urlencode()}",
            "export_url": reverse(f"admin:{self.list_url_name('list_export')}")
            if self.export_columns
            else "",
            "list_query": query,
        }

    def filters_view(self, request: HttpRequest) -> HttpResponse:
        """The sheet of filters, a fragment."""
        try:
            changes = self._changes(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(request.path)  # the sheet of the whole list
        context = {
            "choices": choices(changes),
            "kept": kept_params(changes),
            "list_url": self._list_url(),
            "clear_url": self._list_url(),
        }
        return render(request, "migration_app/lists/sheet.html", context)

    def saved_view(self, request: HttpRequest) -> HttpResponseBase:
        """POST: save, rename or delete a filter; back to the list as it was."""
        self._check_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = SavedFilterForm(request.POST)
        query = kept_query(QueryDict(form.data.get("query", "")), self._offered(request))
        if form.is_valid():
            try:
                messages.success(
                    request, saved_filter_act(request, self._list_name, form.cleaned_data, query)
                )
            except SavedFilterRefusedError as error:
                messages.error(request, str(error))
        else:
            messages.error(request, form.error_text())
        return HttpResponseRedirect(self._list_url(query))

    def list_export_view(self, request: HttpRequest) -> HttpResponseBase:
        """POST: download the rows of the list that the address narrows."""
        self._check_view(request)
        if not self.export_columns:
            raise Http404("This list has no download.")
        if request.method != "POST":
            return HttpResponseRedirect(self._list_url(request.GET.urlencode()))
        try:
            changes = self._changes(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._list_url("e=1"))
        return list_csv(request, changes, self.export_columns, name=str(self.opts.verbose_name_plural))

    def _changes(self, request: HttpRequest) -> BoundedChangeList:
        self._check_view(request)
        return cast("BoundedChangeList", self.get_changelist_instance(request))

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    @property
    def _list_name(self) -> str:
        return str(self.opts.label_lower)

    def _list_url(self, query: str = "") -> str:
        url = reverse(f"admin:{self.list_url_name('changelist')}")
        return f"{url}?{query}" if query else url

    def _offered(self, request: HttpRequest) -> frozenset[str]:
        entries = self.get_list_filter(request)
        return frozenset(
            str(entry.parameter_name)
            for entry in entries
            if isinstance(entry, type) and issubclass(entry, ConsoleFilter)
        )
