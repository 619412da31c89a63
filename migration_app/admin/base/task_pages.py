"""Lists whose rows are tasks: the page of each shows its progress, and a script follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse

from migration_app.admin.base.live import Live
from migration_app.admin.base.model_admin import RowPageAdmin, progress_json
from migration_app.admin.base.workers import workers_state
from migration_app.models.task import Task

T = TypeVar("T", bound=Task)
FINISHED = "finished"
"""The state of a task that came to its end, which each kind has by this name."""


@dataclasses.dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a task is: a share of a hundred, the same in words, and the figures of its page by name.

    ``is_well``: nothing went wrong on the way; only then its end is green.
    """

    percent: int
    text: str
    counts: Mapping[str, Any]
    is_well: bool = True


class TaskPageAdmin(RowPageAdmin[T]):
    """A list of tasks of one kind."""

    # States in which a worker may still change the row.
    open_states: ClassVar[Collection[str]] = ()

    def get_urls(self) -> list[URLPattern]:
        """Add the progress."""
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<int:pk>/progress.json", view, name=self._url_name("progress")), *super().get_urls()]

    def task_progress(self, row: T) -> TaskProgress:
        """How far the task is; each kind says how."""
        raise NotImplementedError

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Report a task's progress to its page's script."""
        row = self.row_for(request, pk)
        progress = self.task_progress(row)
        return progress_json(
            is_open=row.state in self.open_states,
            state=row.state,
            percent=progress.percent,
            text=progress.text,
            counts=progress.counts,
        )

    def progress_context(self, request: HttpRequest, row: T) -> dict[str, Any]:
        """What the row's page shows of its progress, and whether workers are there to make any.

        ``live`` makes the page follow the task; one that shows content polls ``progress_url`` instead.
        """
        is_open, progress = row.state in self.open_states, self.task_progress(row)
        query = request.GET.urlencode()
        url = f"{self.row_url(row)}?{query}" if query else self.row_url(row)
        return {
            "live": Live("task-page", url, is_open=is_open),
            "is_open": is_open,
            "is_done": row.state == FINISHED and progress.is_well,
            "percent": progress.percent,
            "progress_text": progress.text,
            "progress_url": reverse(f"admin:{self._url_name('progress')}", args=[row.pk]),
            "workers": workers_state() if is_open else None,
        }
