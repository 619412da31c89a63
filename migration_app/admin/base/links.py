"""Addresses of rows' pages, for lists that show many: Django makes one of each kind, the others differ by a number."""

from __future__ import annotations

import functools

from django.urls import get_script_prefix, reverse


def row_address(model: str, pk: int | None) -> str:
    """The address of a row's page: ``row_address("batch", 7)``."""
    before, after = _around(model, get_script_prefix())
    return f"{before}{pk}{after}"


@functools.lru_cache(maxsize=256)
def _around(model: str, prefix: str) -> tuple[str, str]:  # noqa: ARG001 - addresses begin with it
    before, _zero, after = reverse(f"admin:migration_app_{model}_change", args=[0]).rpartition("/0/")
    return f"{before}/", f"/{after}"
