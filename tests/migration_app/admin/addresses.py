"""Addresses of confirm pages, as lists and links make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from migration_app.admin.base.addresses import IDS, address


def confirm_url(name: str, selection: Mapping[str, Any] | None = None, **params: str) -> str:
    """The confirm page of an action of threads for a selection; for all threads without one."""
    url = reverse("admin:migration_app_thread_act", args=[name])
    chosen = selection or {}
    if "ids" in chosen:
        return address(url, {IDS: ",".join(map(str, chosen["ids"])), **params})
    search = {"q": chosen["search"]} if chosen.get("search") else {}
    return address(url, {**chosen.get("filters", {}), **search, **params})
