"""List filters whose parameters are those of services.selections.FILTERS, each an index lookup.

Each takes one value; an empty one means no filter. So what a list shows is what a selection carries. What a filter
offers is asked for by the sheet of filters alone (``admin.lists.sheet``): a list itself only names what was chosen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from migration_app.batches.preflight import SNAPSHOT_FINDINGS
from migration_app.contracts import Fidelity
from migration_app.conversion.findings.assistants import ASSISTANT_KINDS
from migration_app.conversion.findings.findings import KINDS
from migration_app.models import Assistant, Batch

_CHOICES_SHOWN = 100
_LONGEST_NUMBER = 19


def distinct_values(model: type[Model], column: str, limit: int = 200) -> list[str]:
    """Return the different values of an indexed text column, one index lookup each.

    SELECT DISTINCT would read every row of a table that may hold millions.
    """
    table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - Django's documented Model._meta
    name = connection.ops.quote_name(column)
    sql = f"""
        WITH RECURSIVE found AS (
            (SELECT {name} AS value FROM {table} WHERE {name} > '' AND {name} <> '' ORDER BY {name} LIMIT 1)
            UNION ALL
            SELECT (SELECT {name} FROM {table} WHERE {name} > found.value AND {name} <> ''
                    ORDER BY {name} LIMIT 1)
            FROM found WHERE found.value IS NOT NULL
        )
        SELECT value FROM found WHERE value IS NOT NULL LIMIT %s
    """  # noqa: S608 - table and column are the model's own names
    with connection.cursor() as cursor:
        cursor.execute(sql, [limit])
        return [row[0] for row in cursor.fetchall()]


def _narrow(queryset: QuerySet[Any], field: str, value: str | None) -> QuerySet[Any]:
    if value in (None, ""):
        return queryset
    try:
        return queryset.filter(**{field: value})
    except (ValueError, ValidationError) as error:
        raise IncorrectLookupParameters(str(error)) from error


class ConsoleFilter(admin.SimpleListFilter):
    """One value, chosen in the sheet of filters or typed in."""

    hint: ClassVar[str] = ""

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        model_admin: admin.ModelAdmin[Any],  # noqa: ARG002 - Django's signature
    ) -> list[tuple[str, str]]:
        """Offer nothing here: the sheet asks ``options``."""
        return []

    def has_output(self) -> bool:
        """Apply even when there is no choice to offer: Django would skip the filter silently."""
        return True

    def options(self) -> list[tuple[str, str]] | None:
        """Values and labels to offer, None where a value is typed in. May ask the database."""
        return None

    def label_of(self, value: str) -> str:
        """Name a value."""
        return value

    def offered(self) -> list[tuple[str, str]]:
        """What the sheet offers: the chosen value too, even when it is not among the options."""
        options = self.options() or []
        chosen = self.value()
        if chosen and chosen not in {value for value, _label in options}:
            options = [*options, (chosen, self.label_of(chosen))]
        return options


class _Exact(ConsoleFilter):
    """One value of one field."""

    field: ClassVar[str]

    def value(self) -> str | None:
        """What is asked for, without the sign that no column can hold; every reader of the filter gets this."""
        asked = super().value()
        return None if asked is None else str(asked).replace("\x00", "")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's
        """Narrow the list."""
        return _narrow(queryset, self.field, self.value())


class ExactFilter(_Exact):
    """A choice of values of one field."""

    def options(self) -> list[tuple[str, str]]:
        """Values and labels to offer."""
        raise NotImplementedError


class TextExactFilter(_Exact):
    """One exact value, typed in."""


def choice_filter(title: str, field: str, choices: list[tuple[Any, Any]]) -> type[ExactFilter]:
    """Make a filter over fixed choices of a field."""
    offered = [(str(value), str(label)) for value, label in choices]

    class ChoiceFilter(ExactFilter):
        """Fixed choices."""

        def options(self) -> list[tuple[str, str]]:
            return list(offered)

        def label_of(self, value: str) -> str:
            return dict(offered).get(value, value)

    ChoiceFilter.title = title
    ChoiceFilter.field = field
    ChoiceFilter.parameter_name = f"{field}__exact"
    return ChoiceFilter


def values_filter(
    title: str, model: type[Model], field: str, label: Callable[[str], str] = str
) -> type[ExactFilter]:
    """Make a filter over the values that an indexed column has now; ``label`` names them."""

    class ValuesFilter(ExactFilter):
        """Values as they occur."""

        def options(self) -> list[tuple[str, str]]:
            return [(value, label(value)) for value in distinct_values(model, field)]

        def label_of(self, value: str) -> str:
            return label(value)

    ValuesFilter.title = title
    ValuesFilter.field = field
    ValuesFilter.parameter_name = f"{field}__exact"
    return ValuesFilter


def text_filter(title: str, field: str) -> type[TextExactFilter]:
    """Make a filter for one exact value, typed in."""

    class ValueFilter(TextExactFilter):
        """A value typed in."""

    ValueFilter.title = title
    ValueFilter.field = field
    ValueFilter.parameter_name = f"{field}__exact"
    return ValueFilter


def day_filter(title: str, field: str, lookup: str) -> type[ConsoleFilter]:
    """Make a filter for one bound of a span of days: ``gte`` from this day on, ``lt`` up to its end."""

    class DayFilter(ConsoleFilter):
        """A day, typed in."""

        hint = "YYYY-MM-DD, UTC"

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's
            if not self.value():
                return queryset
            try:
                day = dt.datetime.strptime(str(self.value()).strip(), "%Y-%m-%d").replace(tzinfo=dt.UTC)
            except ValueError as error:
                raise IncorrectLookupParameters(str(error)) from error
            if lookup == "lt" and day.date() == dt.date.max:
                return queryset  # no day follows it, and so nothing is left out
            bound = day + dt.timedelta(days=1) if lookup == "lt" else day
            return queryset.filter(**{f"{field}__{lookup}": bound})

    DayFilter.title = title
    DayFilter.parameter_name = f"{field}_{'to' if lookup == 'lt' else 'from'}"
    return DayFilter


FidelityFilter = choice_filter("fidelity", "fidelity", [(f.value, f.value) for f in Fidelity])


class FindingFilter(ExactFilter):
    """Threads that have a finding of one kind, by the index of counted findings."""

    title = "finding"
    parameter_name = "finding__exact"
    field = "finding_counts__has_key"

    def options(self) -> list[tuple[str, str]]:
        """Offer every kind that threads can have."""
        return [
            (code, code) for code in sorted(SNAPSHOT_FINDINGS.keys() | KINDS.keys() - ASSISTANT_KINDS.keys())
        ]


class AssistantFilter(ExactFilter):
    """The newest assistants; others by the link on their own page."""

    title = "assistant"
    parameter_name = "assistant__id__exact"
    field = "assistant_id"

    def options(self) -> list[tuple[str, str]]:
        """Offer the newest hundred."""
        rows = Assistant.objects.order_by("-id").values_list("pk", "name", "assistant_id")
        return [(str(pk), name or assistant_id) for pk, name, assistant_id in rows[:_CHOICES_SHOWN]]

    def label_of(self, value: str) -> str:
        """Name the chosen one."""
        key = int(value) if value.isascii() and value.isdigit() and len(value) < _LONGEST_NUMBER else 0
        found = Assistant.objects.filter(pk=key).first()
        return str(found) if found else value


class BatchFilter(ExactFilter):
    """The newest batches; others by the links on their own page."""

    title = "batch"
    parameter_name = "batch__id__exact"
    field = "batch_id"

    def options(self) -> list[tuple[str, str]]:
        """Offer the newest hundred."""
        rows = Batch.objects.order_by("-id").values_list("pk", "kind")
        return [(str(pk), f"{pk}: {kind}") for pk, kind in rows[:_CHOICES_SHOWN]]
