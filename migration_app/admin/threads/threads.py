"""The thread list and its actions. Each action leads to a confirm page; only its POST starts anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import badge_html, fidelity_badge, thread_badge
from migration_app.admin.base.columns import badge_column
from migration_app.admin.base.downloads import streamed_csv
from migration_app.admin.base.filters import (
    AssistantFilter,
    BatchFilter,
    FidelityFilter,
    FindingFilter,
    choice_filter,
    text_filter,
    values_filter,
)
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import RowPageAdmin, row_key
from migration_app.admin.base.selections import selection_of_list, selection_unseal
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.confirm import confirm_context, preflight_csv
from migration_app.admin.batches.forms import ConfirmForm, throttle_proposed
from migration_app.admin.threads.actions import ACTIONS, EXPORT, PREFLIGHT
from migration_app.admin.threads.review import review_context
from migration_app.audit.trail import audit_record
from migration_app.batches.batches import batch_create
from migration_app.batches.kinds import BatchKind, ThreadAction
from migration_app.contracts import Policies, policies_as_dict
from migration_app.engine.tasks import BATCH_TASK
from migration_app.index_walks import Window
from migration_app.jobs import enqueue
from migration_app.models import Batch, Thread
from migration_app.threads.mapping import mapping_chunks, mapping_columns
from migration_app.threads.plans import policies_summary
from migration_app.threads.selections import (
    THREAD_INDEXES,
    SelectionError,
    selection_of_pks,
    thread_search,
    threads_count,
    threads_window,
)
from migration_app.threads.server_messages import server_messages_erase

_NAME_SHOWN = 14
"""Characters of a name in the list: all columns fit a window of 1400 points."""


@admin.register(Thread)
class ThreadAdmin(RowPageAdmin[Thread]):
    """Every thread of the estate; its page shows messages and items side by side."""

    list_display = (
        "thread_id",
        "show_status",
        "show_fidelity",
        "show_sizes",
        "show_conversation",
        "show_user",
        "show_batch",
        "show_assistant",
        "show_updated",
    )
    list_filter = (
        choice_filter("status", "status", list(Thread.Status.choices)),
        FidelityFilter,
        FindingFilter,
        AssistantFilter,
        BatchFilter,
        values_filter("error code", Thread, "error_code"),
        text_filter("user reference", "user_ref"),
        text_filter("thread id", "thread_id"),
    )
    list_select_related = ("assistant", "conversation")
    search_fields = ("thread_id",)
    search_help_text = "Exact thread, conversation or user id"
    ordering = ("-id",)
    list_indexes = THREAD_INDEXES

    def list_count(self, fields: Mapping[str, Any]) -> int | None:
        """As many as the counters report."""
        return threads_count(fields)

    def list_window(self, rows: QuerySet[Thread], fields: Mapping[str, Any], below: int | None) -> Window:  # noqa: ARG002 - all threads
        """Scan those that the best index holds."""
        return threads_window(fields, below=below)

    def get_urls(self) -> list[URLPattern]:
        """Add the confirm pages."""
        act = path(
            "act/<str:name>/", self.admin_site.admin_view(self.act_view), name="migration_app_thread_act"
        )
        return [act, *super().get_urls()]

    def found_by(self, rows: QuerySet[Thread], text: str) -> QuerySet[Thread]:
        """Search by exact ids, as a selection does."""
        return thread_search(rows, text)

    # --- columns ----------------------------------------------------------------------------------

    show_fidelity = badge_column("fidelity", lambda thread: fidelity_badge(thread.fidelity))

    @admin.display(description="status")
    def show_status(self, thread: Thread) -> str:
        """Coloured status; below it the stable error code, whose text is on the thread's page."""
        badge = badge_html(thread_badge(thread.status))
        if not thread.error_code:
            return badge
        return format_html('{}<div class="mc-small mc-soft mc-break">{}</div>', badge, thread.error_code)

    @admin.display(description="msgs → items")
    def show_sizes(self, thread: Thread) -> str:
        """Messages of the source, and the items that a backfill sends."""
        return f"{thread.message_count:,} → {thread.item_count:,}" if thread.snapshot_at else "–"

    @admin.display(description="assistant")
    def show_assistant(self, thread: Thread) -> str:
        """The assistant's name or id."""
        if thread.assistant is None:
            return "–"
        whole = str(thread.assistant)
        return format_html(
            '<bdi class="mc-nowrap" title="{}">{}</bdi>', whole, Truncator(whole).chars(_NAME_SHOWN)
        )

    @admin.display(description="user")
    def show_user(self, thread: Thread) -> str:
        """The application's own id of the user."""
        whole = thread.user_ref
        short = Truncator(whole).chars(_NAME_SHOWN)
        return format_html('<bdi title="{}">{}</bdi>', whole, short) if whole else "–"

    @admin.display(description="conversation")
    def show_conversation(self, thread: Thread) -> str:
        """The conversation's id, once there is one."""
        conversation = getattr(thread, "conversation", None)
        if conversation is None or not conversation.conversation_id:
            return "–"
        whole = conversation.conversation_id
        return format_html(
            '<span class="mc-mono mc-nowrap" title="{}">{}</span>', whole, Truncator(whole).chars(13)
        )

    @admin.display(description="batch")
    def show_batch(self, thread: Thread) -> str:
        """Link to the batch that last took the thread."""
        if thread.batch_id is None:
            return "–"
        url = reverse("admin:migration_app_batch_change", args=[thread.batch_id])
        return format_html('<a class="mc-link" href="{}">{}</a>', url, thread.batch_id)

    @admin.display(description="changed")
    def show_updated(self, thread: Thread) -> str:
        """The day the row last changed, UTC; the time on pointing at it."""
        when = thread.updated_at
        return format_html(
            '<span class="mc-nowrap" title="{}">{}</span>',
            f"{when:%Y-%m-%d %H:%M:%S} UTC",
            f"{when:%Y-%m-%d}",
        )

    # --- actions ----------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the actions that the user has the permission for."""
        return {
            name: (_list_action(name), name, kind.title)
            for name, kind in ACTIONS.items()
            if request.user.has_perm(kind.permission)
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse an action without its permission aloud, instead of taking it for an unknown one."""
        if request.method == "POST":
            kind = ACTIONS.get(request.POST.get("action", ""))
            if kind is not None and not request.user.has_perm(kind.permission):
                raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def confirm_list_action(self, request: HttpRequest, name: str) -> HttpResponse | None:
        """Show the confirm page for what is ticked in the list, or for all that matches."""
        try:
            if request.POST.get("select_across") == "1":
                selection = selection_of_list(request.GET)
            else:
                ticked = [row_key(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)]
                selection = selection_of_pks([pk for pk in ticked if pk is not None])
            return self._confirm(request, ACTIONS[name], selection)
        except (SelectionError, ValueError) as error:
            messages.error(request, str(error))
            return None

    def act_view(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """GET: the confirm page for the list filters in the address. POST: do it."""
        kind = ACTIONS.get(name)
        if kind is None:
            raise Http404(f"There is no action {name!r}.")
        if not (request.user.has_perm(kind.permission) and self.has_view_permission(request)):
            raise PermissionDenied
        try:
            if request.method == "POST":
                selection = selection_unseal(request.POST.get("selection", ""))
                return self._act(request, kind, selection)
            return self._confirm(request, kind, selection_of_list(request.GET))
        except SelectionError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.list_url())

    def _confirm(
        self,
        request: HttpRequest,
        action: ThreadAction,
        selection: Mapping[str, Any],
        form: ConfirmForm | None = None,
        policies: Policies | None = None,
    ) -> HttpResponse:
        form = form or ConfirmForm(action=action, initial=throttle_proposed(selection))
        context = confirm_context(action, selection, policies or form.policies, form)
        sends = action.counted is not None and action.counted.converts
        return self.page(
            request,
            "batches/confirm.html",
            title=action.title,
            **context,
            has_details=bool(
                context.get("left_out") or action.name == EXPORT or (sends and context["taken"])
            ),
            act_url=reverse("admin:migration_app_thread_act", args=[action.name]),
            back_url=self.list_url(
                request.META.get("QUERY_STRING", "") if "act/" not in request.path else ""
            ),
            workers=workers_state() if context["starts_batch"] else None,
            columns=mapping_columns() if action.name == EXPORT else (),
        )

    def _act(
        self, request: HttpRequest, action: ThreadAction, selection: Mapping[str, Any]
    ) -> HttpResponseBase:
        form = ConfirmForm(request.POST, action=action)
        is_valid = form.is_valid()
        if form.has_error(NON_FIELD_ERRORS, "policies"):
            return self._confirm(request, action, selection, form)
        if "count" in request.POST:
            typed = ConfirmForm(action=action, initial=form.as_typed())
            return self._confirm(request, action, selection, typed, form.policies)
        if action.name == PREFLIGHT:
            return self._preflight(request, action, selection, form.policies)
        if not is_valid:
            return self._confirm(request, action, selection, form)
        if isinstance(action, BatchKind):
            return self._start(request, action, selection, form)
        reason = form.cleaned_data["reason"]
        return (
            self._export(request, selection, reason)
            if action.name == EXPORT
            else self._erase(request, selection, reason)
        )

    def _preflight(
        self, request: HttpRequest, action: ThreadAction, selection: Mapping[str, Any], policies: Policies
    ) -> HttpResponseBase:
        audit_record(
            actor=actor_of(request),
            verb="preflight.exported",
            subject_kind="preflight",
            subject_id="csv",
            reason=policies_summary(policies),
        )
        return preflight_csv(selection, action.counted_as, policies)

    def _export(self, request: HttpRequest, selection: Mapping[str, Any], reason: str) -> HttpResponseBase:
        audit_record(
            actor=actor_of(request),
            verb="mapping.exported",
            subject_kind="mapping",
            subject_id="csv",
            reason=reason,
        )
        return streamed_csv(f"mapping-{timezone.now():%Y%m%d-%H%M%S}.csv", mapping_chunks(selection))

    def _erase(self, request: HttpRequest, selection: Mapping[str, Any], reason: str) -> HttpResponse:
        erased = server_messages_erase(selection=selection, actor=actor_of(request), reason=reason)
        messages.success(request, f"Erased what servers said of {erased:,} threads.")
        return HttpResponseRedirect(self.list_url())

    def _start(
        self, request: HttpRequest, kind: BatchKind, selection: Mapping[str, Any], form: ConfirmForm
    ) -> HttpResponse:
        chosen = form.settings
        if kind.converts:
            chosen["policies"] = policies_as_dict(form.policies)
        with transaction.atomic():
            batch = batch_create(
                kind=kind.name,
                selection=selection,
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                settings=chosen,
                **form.throttle,
            )
            enqueue(BATCH_TASK, batch.pk)
        if batch.state == Batch.State.WAITING:
            messages.warning(request, f"Batch {batch.pk} waits: a second person must approve it.")
        else:
            messages.success(request, f"Batch {batch.pk} was started: {kind.title.lower()}.")
        return HttpResponseRedirect(reverse("admin:migration_app_batch_change", args=[batch.pk]))

    # --- the thread's page ------------------------------------------------------------------------

    def row_page(
        self,
        request: HttpRequest,
        thread: Thread,
        /,
        **_refused: ConsoleForm,
    ) -> HttpResponse:
        """Show messages and items side by side. Seeing content writes an audit row, all that a GET here writes."""
        return self.page(
            request,
            "threads/thread.html",
            title=thread.thread_id,
            obj=thread,
            **review_context(request, thread),
        )


def _list_action(name: str) -> Callable[[ThreadAdmin, HttpRequest, QuerySet[Thread]], HttpResponse | None]:
    def act(
        model_admin: ThreadAdmin, request: HttpRequest, _threads: QuerySet[Thread]
    ) -> HttpResponse | None:
        return model_admin.confirm_list_action(request, name)

    act.__name__ = name
    return act
