"""Tool resources in words: ids of vector stores and files. Never headers or keys, which may hold secrets.

Imports only this package.
"""

from __future__ import annotations

from migration_app.conversion.text import as_id, as_list, as_object, label, labels, unknown_fields

_LISTS = {
    "vector stores": ("file_search", "vector_store_ids"),
    "code interpreter files": ("code_interpreter", "file_ids"),
}


def resource_ids(tool_resources: object, tool: str, name: str) -> list[str]:
    """The ids in one list of the tool resources, in order, each once."""
    entries = as_list(as_object(as_object(tool_resources).get(tool)).get(name))
    return list(dict.fromkeys(filter(None, map(as_id, entries))))


def resource_words(tool_resources: object) -> str:
    """What the tool resources name, for a finding; empty when they name nothing."""
    if tool_resources and not isinstance(tool_resources, dict):
        return "unreadable settings"
    said = []
    for words, (tool, name) in _LISTS.items():
        ids = resource_ids(tool_resources, tool, name)
        if ids:
            said.append(f"{words} {labels(ids)}")
    listed = dict(_LISTS.values())
    for tool, value in as_object(tool_resources).items():
        known = frozenset({listed[tool]}) if tool in listed else frozenset[str]()
        if value and (not isinstance(value, dict) or unknown_fields(value, known)):
            said.append(f"settings of {label(tool)}")
    return "; ".join(said)
