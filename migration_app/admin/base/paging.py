"""How lists are cut into pages, in a time that does not grow with their tables.

Rows are never counted beyond a bound: the count is known from the counters, or it is shown as "more than". A page
is found from the nearer end of the list, primary keys first, along one index; its rows are read by key then.
Pages too far from both ends are not offered: filters and search lead there. Where no index holds what a list is
narrowed by, the newest rows are scanned, a window at a time (services.index_walks).

A whole list is sorted by columns that an index holds in order (``list_sorts``); one that is narrowed to no more rows
than are counted, by any column of the table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from migration_app.admin.lists.rows import Heading, headings, rows
from migration_app.admin.lists.sheet import BELOW, Chip, chips
from migration_app.index_walks import (
    Window,
    counted_up_to,
    index_for,
    walk,
)

if TYPE_CHECKING:
    _ChangeList = ChangeList
    _Paginator = Paginator[Any]
else:
    from unfold.views import ChangeList as _ChangeList

    _Paginator = Paginator

COUNTED_UP_TO = 10_000
"""Rows that a list counts, and how far from either end its pages reach."""

_NEIGHBOURS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class PageLink:
    """A page in the foot of a list; no address: the current page, or pages left out."""

    label: str
    url: str = ""
    current: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Sort:
    """A column to sort by, and the field of the table that it shows; both empty for the list's own order."""

    column: str = ""
    field: str = ""
    descending: bool = False


class BoundedPaginator(_Paginator):
    """Counts at most COUNTED_UP_TO + 1 rows, unless the count is given."""

    template_name = "migration_app/base/pagination.html"
    known: int | None = None
    window: Window | None = None

    @cached_property
    def count(self) -> int:
        """How many rows there are, or one more than are counted."""
        if self.known is not None:
            return self.known
        if self.window is not None:
            return len(self.window.pks) + self.more
        rows = self.object_list
        return counted_up_to(rows, COUNTED_UP_TO) if isinstance(rows, QuerySet) else len(rows)

    @property
    def more(self) -> bool:
        """Whether there may be rows that were not counted."""
        if self.window is not None:
            return self.window.below is not None
        return self.known is None and self.count > COUNTED_UP_TO

    @property
    def reached(self) -> int:
        """How many rows can be reached from the first page on."""
        return self.count - 1 if self.more else self.count

    @property
    def count_text(self) -> str:
        """The count as text, for the foot of the list."""
        if not self.more:
            return f"{self.count:,}"
        return f"at least {self.reached:,}" if self.window is not None else f"more than {COUNTED_UP_TO:,}"


class CuttableAdmin(Protocol):
    """What a list asks of its admin class (admin.skin.ReadOnlyAdmin)."""

    list_indexes: ClassVar[Sequence[tuple[str, ...]] | None]
    list_order: ClassVar[Sequence[str]]
    list_sorts: ClassVar[Mapping[str, tuple[str, ...]]]

    def list_count(self, fields: Mapping[str, Any]) -> int | None:
        """How many rows have these values, where that is known."""

    def list_window(self, rows: QuerySet[Any], fields: Mapping[str, Any], below: int | None) -> Window:
        """Scan rows for those with these values."""


class BoundedChangeList(_ChangeList):
    """A list whose every page costs the same, and that keeps quiet about totals it never counted."""

    model_admin: Any
    filter_specs: list[Any]

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave out what is no filter."""
        found: dict[str, Any] = super().get_filters_params(params)
        found.pop(BELOW, None)
        return found

    def get_results(self, request: HttpRequest) -> None:
        """Find the page's rows and say how many there are."""
        # Only links to pages carry it: another filter or search begins at the newest row again.
        self.below = {BELOW: self.filter_params.pop(BELOW)} if BELOW in self.filter_params else {}
        self.params.pop(BELOW, None)
        indexes = self._admin.list_indexes
        rows, fields = self._walked(request)
        size = self.list_per_page
        paginator = BoundedPaginator(rows if rows is not None else [], size)
        known = self._admin.list_count(fields) if fields is not None else None
        if rows is not None:
            paginator.known = known
        elif known == 0:
            paginator.window = Window([], None)
        else:
            below = _below(request)
            window = self._admin.list_window(self._spans(request), fields or {}, below)
            if below is None and len(window.pks) == known:
                window = Window(window.pks, None)  # there are no others to look for
            paginator.window = window
        self._may_sort_all = indexes is None or bool(self.query) or self._is_short(paginator)
        self._sort_short(rows, paginator)
        self.paginator = paginator
        self.result_count = paginator.count
        self.pages = max(1, -(-min(paginator.reached, _bound(paginator)) // size))
        self.can_show_all = not paginator.more and paginator.count <= self.list_max_show_all
        self.multi_page = paginator.count > size
        self.show_full_result_count = False
        self.show_admin_actions = True
        pks = self._keys(request, None if paginator.window is not None else rows)
        found = self.apply_select_related(self.root_queryset).in_bulk(pks)
        self.result_list = [found[pk] for pk in pks if pk in found]
        quiet = not (self.has_active_filters or self.query) or paginator.more
        self.full_result_count = self.result_count if quiet else None

    @property
    def _admin(self) -> CuttableAdmin:
        admin: CuttableAdmin = self.model_admin
        return admin

    # --- which rows -------------------------------------------------------------------------------

    def _walked(self, request: HttpRequest) -> tuple[QuerySet[Any] | None, dict[str, Any] | None]:
        """Rows in their order, with the values of fields they are narrowed by where that is all.

        No rows: no index holds all of these values.
        """
        indexes = self._admin.list_indexes
        self._narrowed = False
        if indexes is None or self.query:
            return self.queryset, None
        fields = {spec.field: spec.value() for spec in self.filter_specs if hasattr(spec, "field")}
        fields = {name: value for name, value in fields.items() if value not in (None, "")}
        spans = self._spans(request)
        self._narrowed = bool(fields) or spans is not self.root_queryset
        if not self._narrowed and (sorted_by := self._admin.list_sorts.get(self.sort.column)):
            rows = spans.order_by(*sorted_by)
            return (rows.reverse() if self.sort.descending else rows), fields
        index = index_for(set(fields), indexes)
        if index is None:
            return None, fields
        order = self._admin.list_order
        if spans is self.root_queryset:
            return walk(spans, {name: fields[name] for name in index}, order), fields
        # A span of time is a piece of that index only below fixed values of its first fields.
        return spans.filter(**fields).order_by(*(f"-{name}" for name in order)), None

    def _spans(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows, narrowed by filters that are spans and not values."""
        rows = self.root_queryset
        for spec in self.filter_specs:
            if not hasattr(spec, "field") and spec.value():
                rows = spec.queryset(request, rows)
        return rows

    # --- in which order ---------------------------------------------------------------------------

    @cached_property
    def sort(self) -> Sort:
        """The column that the address asks to sort by. By name: the positions of Django's own depend on the role."""
        asked = str(self.params.get(ORDER_VAR, ""))
        column = asked.removeprefix("-")
        if column not in map(str, self.list_display) or not (field := self.order_field(column)):
            return Sort()
        return Sort(column, field, descending=asked != column)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:  # noqa: ARG002 - Django's
        """The order of a small table or of what a search found; rows without a value come last."""
        if not self.sort.field:
            django: Any = self  # its own names, which its stubs leave out
            ordering = self.model_admin.get_ordering(request) or django._get_default_ordering()  # noqa: SLF001
            return list(django._get_deterministic_ordering(list(ordering)))  # noqa: SLF001
        by = F(self.sort.field)
        return [by.desc(nulls_last=True) if self.sort.descending else by.asc(nulls_last=True), "-pk"]

    def order_field(self, column: str) -> str:
        """The field of the table by which a column sorts; empty for one that can't be sorted."""
        found = self.get_ordering_field(column)
        return found if isinstance(found, str) else ""

    def sorts(self, column: str) -> bool:
        """Whether this list can be sorted by this column as it is narrowed now."""
        if self._may_sort_all:
            return bool(self.order_field(column))
        return not self._narrowed and column in self._admin.list_sorts

    def _is_short(self, paginator: BoundedPaginator) -> bool:
        return self._narrowed and not self.below and not paginator.more and paginator.count <= COUNTED_UP_TO

    def _sort_short(self, rows: QuerySet[Any] | None, paginator: BoundedPaginator) -> None:
        """Sort a narrowed list here: no index holds it in this order, and PostgreSQL might walk one that holds all."""
        if not (self.sort.field and self._is_short(paginator)):
            return
        if rows is None:
            rows = self.root_queryset.filter(pk__in=_window_pks(paginator))
        pairs = list(rows.values_list("pk", self.sort.field)[: COUNTED_UP_TO + 1])
        filled = sorted((value, pk) for pk, value in pairs if value is not None)
        pks = [pk for _value, pk in (reversed(filled) if self.sort.descending else filled)]
        paginator.window = Window([*pks, *(pk for pk, value in pairs if value is None)], None)
        paginator.known = None

    # --- what its template shows ------------------------------------------------------------------

    @cached_property
    def headings(self) -> list[Heading]:
        """The heads of the columns."""
        return headings(self)

    def rows(self) -> Iterator[SafeString]:
        """Each row as HTML."""
        return rows(self)

    @cached_property
    def chips(self) -> list[Chip]:
        """What narrows the list now."""
        return chips(self)

    # --- which page -------------------------------------------------------------------------------

    def _keys(self, request: HttpRequest, rows: QuerySet[Any] | None) -> list[int]:
        """Primary keys of the page's rows. Pages below zero are counted from the end."""
        paginator, size = self.paginator, self.list_per_page
        if (self.show_all and self.can_show_all) or not self.multi_page:
            return _window_pks(paginator) if rows is None else _pks(rows, 0, paginator.reached)
        number = self.page_num
        if number < 0 and not paginator.more:
            number += self.pages + 1
        if not 1 <= abs(number) <= self.pages:
            raise IncorrectLookupParameters
        if rows is None:
            if number < 0:
                raise IncorrectLookupParameters
            self.page_num = number
            return _window_pks(paginator)[(number - 1) * size : number * size]
        reach = -(-COUNTED_UP_TO // size)
        if reach < number <= self.pages - reach:
            messages.warning(
                request,
                f"Pages {reach + 1:,} to {self.pages - reach:,} can't be opened by number. Narrow the list by filters, "
                "or search for an id.",
            )
            number = reach if number <= self.pages // 2 else self.pages - reach + 1
        self.page_num = number
        start, end = (number - 1) * size, number * size
        if number < 0:
            start, end = (-number - 1) * size, -number * size
        elif start > paginator.reached // 2 and not paginator.more:
            start, end = max(0, paginator.count - end), paginator.count - start
        else:
            return _pks(rows, start, end)
        return _pks(rows.reverse(), start, end)[::-1]

    # --- the foot ---------------------------------------------------------------------------------

    def page_links(self) -> list[PageLink]:
        """The pages that the foot of the list offers: around the current one, and both ends."""
        if not self.multi_page or (self.show_all and self.can_show_all):
            return []
        more = self.paginator.more and self.paginator.window is None
        last = self.pages
        offered = {1, 2, last, last - 1} if not more else {1, 2, -1}
        at = self.page_num
        offered |= {at + step for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1) if (at + step > 0) == (at > 0)}
        reach = -(-COUNTED_UP_TO // self.list_per_page)
        offered = {
            number
            for number in offered
            if (1 <= number <= last and (number <= reach or number > last - reach))
            or (more and -last <= number <= -1)
        }
        links: list[PageLink] = []
        before = 0
        for number in sorted(offered, key=lambda number: (number < 0, number)):
            if number != before + 1:
                links.append(PageLink("…"))
            text = f"{number:,}" if number > 0 else "last" if number == -1 else f"last − {-number - 1}"
            links.append(
                PageLink(text, self.get_query_string({**self.below, "p": number}), current=number == at)
            )
            before = number
        return links

    def further_url(self) -> str:
        """The address to continue a list that was scanned in part."""
        window = self.paginator.window
        return self.get_query_string({BELOW: window.below}) if window and window.below else ""


def _below(request: HttpRequest) -> int | None:
    asked = request.GET.get(BELOW, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None


def _bound(paginator: BoundedPaginator) -> int:
    return COUNTED_UP_TO if paginator.more else paginator.count


def _window_pks(paginator: BoundedPaginator) -> list[int]:
    return paginator.window.pks if paginator.window is not None else []


def _pks(rows: QuerySet[Any], start: int, end: int) -> list[int]:
    return list(rows.values_list("pk", flat=True)[start:end])
