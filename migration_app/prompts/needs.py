"""Which version of each prompt counts, and what it names: model, functions, vector stores, files.

What a version names is read out of its spec once and kept (``PromptNeeds``): a spec may be large, and never changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from migration_app.contracts import JsonObject
from migration_app.conversion.text import as_list, as_object
from migration_app.models import Prompt, PromptNeeds, PromptVersion
from migration_app.models.fields import MAX_ID_LENGTH

_OWN_TOOLS = ("function", "custom")
"""Tools that the application itself must answer (official description, schemas FunctionTool and CustomTool)."""
_A_FETCH = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Needs:
    """Names and ids, each once, in their order; what no name or id can be is left out."""

    model: str
    functions: tuple[str, ...]
    vector_stores: tuple[str, ...]
    files: tuple[str, ...]


def versions_that_count() -> QuerySet[PromptVersion]:
    """Of each prompt the active version; of one without, the newest."""
    first = (
        PromptVersion.objects.filter(prompt=OuterRef("pk"))
        .order_by(Case(When(state=PromptVersion.State.ACTIVE, then=Value(0)), default=Value(1)), "-number")
        .values("pk")[:1]
    )
    chosen = Prompt.objects.order_by().annotate(counts=Subquery(first)).values("counts")
    return PromptVersion.objects.filter(pk__in=chosen)


def spec_needs(spec: JsonObject) -> Needs:
    """Read what a spec names; pure and total."""
    tools = list(_tools(spec.get("tools")))
    return Needs(
        model=next(iter(_names([spec.get("model")])), ""),
        functions=_names(tool.get("name") for tool in tools if tool.get("type") in _OWN_TOOLS),
        vector_stores=_names(
            store
            for tool in tools
            if tool.get("type") == "file_search"
            for store in as_list(tool.get("vector_store_ids"))
        ),
        files=_names(
            file
            for tool in tools
            if tool.get("type") == "code_interpreter"
            for file in as_list(as_object(tool.get("container")).get("file_ids"))
        ),
    )


def needs_fill(*, most: int | None = None) -> int:
    """Read out what versions that count name, where that is not kept yet; returns how many are left to read."""
    waiting = versions_that_count().filter(needs=None).order_by("pk")
    pks = list(waiting.values_list("pk", flat=True))
    now = pks if most is None else pks[:most]
    for start in range(0, len(now), _A_FETCH):
        versions = PromptVersion.objects.filter(pk__in=now[start : start + _A_FETCH])
        PromptNeeds.objects.bulk_create(
            [PromptNeeds(version=version, **_columns(spec_needs(version.spec))) for version in versions],
            ignore_conflicts=True,  # another process may have read the same ones
        )
    return len(pks) - len(now)


def _columns(needs: Needs) -> dict[str, Any]:
    return {
        "model": needs.model,
        "functions": list(needs.functions),
        "vector_stores": list(needs.vector_stores),
        "files": list(needs.files),
    }


def _tools(tools: object) -> Iterator[JsonObject]:
    """The tools, and those inside of namespaces (schema NamespaceTool), which hold none themselves."""
    for tool in map(as_object, as_list(tools)):
        yield tool
        if tool.get("type") == "namespace":
            yield from map(as_object, as_list(tool.get("tools")))


def _names(values: Iterable[object]) -> tuple[str, ...]:
    # What isn't printable or is longer than the column can be no name at the target, and could not be stored.
    return tuple(
        dict.fromkeys(
            value
            for value in values
            if isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_ID_LENGTH
        )
    )
