"""What the conversion of a message or a call depends on besides itself.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from migration_app.contracts import JsonObject, Policies
from migration_app.conversion.text import as_id, as_object


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The operator's policies, and what the console knows of files: their objects, and the thread's resources."""

    policies: Policies = dataclasses.field(default_factory=Policies)
    files: Mapping[str, JsonObject] = dataclasses.field(default_factory=dict)
    vector_store_ids: tuple[str, ...] = ()
    container_file_ids: frozenset[str] = frozenset()

    def filename(self, file_id: str) -> str:
        """The file's name, empty when it is not known."""
        return as_id(as_object(self.files.get(file_id)).get("filename"))
