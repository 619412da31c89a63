"""The models that the target offers, with the day each shuts down. Reads only. Must not import Django or models."""

from __future__ import annotations

import dataclasses

from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Connection, Query
from migration_app.gateways.errors import unreadable_answer

_MOST_PAGES = 100
"""The official list is one page; compatible servers may cut theirs, and none has this many."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as the target lists it; ``shutdown_date`` and ``created`` as they came (schema Model: may be absent)."""

    id: str
    owned_by: str
    created: object
    shutdown_date: object


async def models_list(connection: Connection) -> tuple[ListedModel, ...]:
    """Read the list, each model once. Raises GatewayError; ``unreadable_answer`` if it is no list of models."""
    models: dict[str, ListedModel] = {}
    query: Query = {}
    for _ in range(_MOST_PAGES):
        answer = await connection.get("/models", query or None)
        data = answer.value.get("data")
        if not isinstance(data, list):
            raise unreadable_answer("no list of models", answer.request_id)
        before = len(models)
        for entry in data:
            model = _model(entry)
            if model is None:
                raise unreadable_answer("a model without an id", answer.request_id)
            models.setdefault(model.id, model)
        if answer.value.get("has_more") is not True or len(models) == before:
            break
        query = {"after": next(reversed(models))}
    return tuple(models.values())


def _model(entry: object) -> ListedModel | None:
    value: JsonObject = entry if isinstance(entry, dict) else {}
    name, owner = value.get("id"), value.get("owned_by")
    if not isinstance(name, str) or not name:
        return None
    return ListedModel(
        name, owner if isinstance(owner, str) else "", value.get("created"), value.get("shutdown_date")
    )
