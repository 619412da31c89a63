"""Acts: what a button of a row's page does, by POST and with a form. ``RowPageAdmin`` does them for all pages alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from migration_app.admin.base.forms import ConsoleForm
from migration_app.contracts import Actor


class ActRefusedError(ValueError):
    """It can't be done now; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """One act: its form, the permissions that it needs, and what it does.

    ``do`` takes the row, the person and what the form holds, runs in a transaction, and returns what was done. It
    raises ActRefusedError, or one of the page's ``act_refusals``.
    """

    do: Callable[[Any, Actor, Mapping[str, Any]], str]
    form: type[ConsoleForm] = ConsoleForm
    permissions: tuple[str, ...] = ()
