"""What the target answered about files and vector stores, stored once for all threads that need them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from migration_app.contracts import Finding
from migration_app.conversion.resources import Liveness, Resource, liveness_findings
from migration_app.models import Resource as Row

FRESH = dt.timedelta(hours=1)
"""How long an answer is valid: a thousand threads of one assistant need one check of its vector store."""


def resource_findings(resources: Sequence[Resource]) -> tuple[Finding, ...]:
    """Return findings for what is missing or expired; unchecked ones have no finding."""
    known: dict[tuple[str, str], Liveness] = {
        (row.kind, row.resource_id): "missing" if row.status == Row.Status.MISSING else "expired"
        for row in _rows(resources).exclude(status=Row.Status.ALIVE)
    }
    return liveness_findings(
        [resource for resource in resources if (resource.kind, resource.id) in known], known
    )


def resources_trouble() -> bool:
    """Return whether anything at all is known to be missing or expired; if not, no thread has such findings."""
    return Row.objects.exclude(status=Row.Status.ALIVE).exists()


def resources_to_check(resources: Sequence[Resource]) -> list[Resource]:
    """Return those without a fresh answer."""
    fresh = set(_rows(resources).filter(checked_at__gt=Now() - FRESH).values_list("kind", "resource_id"))
    return [
        resource
        for resource in resources
        if (resource.kind, resource.id) not in fresh and _storable(resource)
    ]


def resource_record(resource: Resource, status: Liveness) -> None:
    """Store an answer of the target."""
    Row.objects.update_or_create(
        kind=resource.kind, resource_id=resource.id, defaults={"status": status, "checked_at": Now()}
    )


def _rows(resources: Iterable[Resource]) -> QuerySet[Row]:
    wanted = Q(pk__in=[])
    for kind in ("file", "vector_store"):
        ids = [resource.id for resource in resources if resource.kind == kind and _storable(resource)]
        if ids:
            wanted |= Q(kind=kind, resource_id__in=ids)
    return Row.objects.filter(wanted)


def _storable(resource: Resource) -> bool:
    # No id with a NUL or half a surrogate pair, or longer than the column, can have been stored or exist.
    return resource.id.isprintable() and 0 < len(resource.id) <= 255
