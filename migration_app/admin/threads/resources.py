"""Files and vector stores on a thread's page: what needs them, and whether the target was seen to have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from migration_app.admin.base.badges import resource_badge
from migration_app.admin.base.rendering import Sight
from migration_app.contracts import SourceThread
from migration_app.conversion.resources import Resource
from migration_app.conversion.text import as_id, as_object, clean_text
from migration_app.models import Resource as KnownResource

USE_WORDS = {
    "content": "an item refers to it, so later responses read it",
    "tools": "the thread's tools use it",
    "named": "named only; nothing fails without it",
}


def resource_rows(resources: Sequence[Resource], source: SourceThread, sight: Sight) -> list[dict[str, Any]]:
    """One page of resources as the template shows them; what the target said of them in one query."""
    known = _known(resources)
    return [
        {
            "kind": resource.kind.replace("_", " "),
            "id": clean_text(resource.id),
            "name": _name(resource, source) if sight.content else "",
            "use": USE_WORDS[resource.use],
            "source_kind": resource.source_kind,
            "source_id": clean_text(resource.source_id),
            "place": resource.place,
            "badge": resource_badge(row.status if row else ""),
            "checked_at": row.checked_at if row else None,
        }
        for resource in resources
        for row in [known.get((resource.kind, resource.id))]
    ]


def _name(resource: Resource, source: SourceThread) -> str:
    return as_id(as_object(source.files.get(resource.id)).get("filename")) if resource.kind == "file" else ""


def _known(resources: Sequence[Resource]) -> dict[tuple[str, str], KnownResource]:
    wanted = Q(pk__in=[])
    for kind in ("file", "vector_store"):
        # No id with a NUL or half of a surrogate pair can be stored, or compared with what is.
        ids = [resource.id for resource in resources if resource.kind == kind and resource.id.isprintable()]
        if ids:
            wanted |= Q(kind=kind, resource_id__in=ids)
    return {(row.kind, row.resource_id): row for row in KnownResource.objects.filter(wanted)}
