"""The confirm page of a thread action: by GET, with an address that one can send; only its POST does anything.

The address names the threads, the policies and the throttle, and where Cancel leads (``admin.base.addresses``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import (
    BACK,
    IDS,
    KEPT,
    address,
    back_of_address,
    chosen_in_list,
    filters_of_address,
)
from migration_app.admin.base.downloads import streamed_csv
from migration_app.admin.base.durations import duration_text
from migration_app.admin.base.model_admin import ReadOnlyAdmin, row_key
from migration_app.admin.base.selections import THREADS, selection_of_address
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.confirm import confirm_context, preflight_csv
from migration_app.admin.batches.forms import ConfirmForm, throttle_proposed
from migration_app.admin.threads.actions import ACTIONS, EXPORT, PREFLIGHT
from migration_app.audit.trail import audit_record
from migration_app.batches.batches import batch_create
from migration_app.batches.duplicates import StartedBeforeError, newest_alike, selection_key
from migration_app.batches.kinds import BATCH_KINDS, BatchKind, ThreadAction
from migration_app.contracts import policies_as_dict
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue
from migration_app.models import Batch, Thread
from migration_app.threads.mapping import mapping_chunks, mapping_columns
from migration_app.threads.plans import policies_summary
from migration_app.threads.selections import SelectionError
from migration_app.threads.server_messages import server_messages_erase


def action_url(name: str, params: Mapping[str, str]) -> str:
    """Address of an action's confirm page."""
    return address(reverse("admin:migration_app_thread_act", args=[name]), params)


def thread_action_url(name: str, thread: Thread) -> str:
    """The confirm page for one thread; Cancel leads back to the thread's page."""
    back = reverse("admin:migration_app_thread_change", args=[thread.pk])
    return action_url(name, {"thread_id__exact": thread.thread_id, BACK: back})


def lead_to_confirm(request: HttpRequest, name: str) -> HttpResponse | None:
    """Lead from the list to the confirm page of what is ticked, or of all that matches."""
    try:
        return HttpResponseRedirect(action_url(name, chosen_in_list(request, model=THREADS)))
    except SelectionError as error:
        messages.error(request, str(error))
        return None


def act_view(page: ReadOnlyAdmin[Thread], request: HttpRequest, name: str) -> HttpResponseBase:
    """GET: the confirm page for what the address selects. POST to the same address: do it."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404(f"There is no action {name!r}.")
    if not (request.user.has_perm(action.permission) and page.has_view_permission(request)):
        raise PermissionDenied
    back = back_of_address(request, page.list_url())
    try:
        selection = selection_of_address(request.GET, but=ConfirmForm(action=action).fields)
        asked = _Asked(page, request, action, selection, throttle_proposed(selection), back)
        return _done(asked) if request.method == "POST" else _page_of_address(asked)
    except SelectionError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """One request about an action and a selection."""

    page: ReadOnlyAdmin[Thread]
    request: HttpRequest
    action: ThreadAction
    selection: Mapping[str, Any]
    proposed: Mapping[str, Any]
    back: str

    def url(self, form: ConfirmForm, *, name: str = "", back: str = "") -> str:
        """The address with what is chosen in the form: of this page, or of another action's."""
        params = self.request.GET
        kept = {key: str(params[key]) for key in (IDS, KEPT) if key in params}
        filters = filters_of_address(params, but=form.fields)
        lead = {BACK: back or params.get(BACK, "")}
        chosen = {**filters, **kept, **form.for_address(self.proposed), **lead}
        return action_url(name or self.action.name, {key: value for key, value in chosen.items() if value})


def _page_of_address(asked: _Asked) -> HttpResponse:
    try:
        form = ConfirmForm.of_address(asked.request.GET, action=asked.action, proposed=asked.proposed)
    except ValueError as error:  # a policy or a choice that there is not
        raise SelectionError(str(error)) from error
    return _confirm(asked, form)


def _confirm(asked: _Asked, form: ConfirmForm) -> HttpResponse:
    action, request = asked.action, asked.request
    context = confirm_context(action, asked.selection, form.policies, form, actor=actor_of(request))
    sends = action.counted is not None and action.counted.converts
    return asked.page.page(
        request,
        "batches/confirm.html",
        http_status=400 if form.errors else 200,
        title=action.title,
        **context,
        has_details=bool(context["left_out"] or action.name == EXPORT or (sends and context["taken"])),
        act_url=request.get_full_path(),
        # The same whatever is chosen on the page: policies are part of its address, what is typed is not.
        draft_key=f"{action.name}-{selection_key(action.name, asked.selection)[:16]}",
        back_url=asked.back,
        workers=workers_state() if context["starts_batch"] else None,
        columns=mapping_columns() if action.name == EXPORT else (),
        leads_on=_leads_on(asked) and context["may_start"],
    )


def _leads_on(asked: _Asked) -> bool:
    """Whether a backfill can be started from here: the preflight, for those who may."""
    backfill = BATCH_KINDS[Batch.Kind.BACKFILL]
    return asked.action.name == PREFLIGHT and asked.request.user.has_perm(backfill.permission)


def _done(asked: _Asked) -> HttpResponseBase:
    request, action = asked.request, asked.action
    form = ConfirmForm(request.POST, action=action)
    is_valid = form.is_valid()
    if form.has_error(NON_FIELD_ERRORS, "policies"):
        return _confirm(asked, form)
    if "count" in request.POST:
        return HttpResponseRedirect(asked.url(form))
    if "lead_on" in request.POST and _leads_on(asked):
        here = asked.url(form)
        return HttpResponseRedirect(asked.url(form, name=Batch.Kind.BACKFILL, back=here))
    if action.name == PREFLIGHT:
        return _preflight(asked, form)
    if form.has_error(NON_FIELD_ERRORS, "counted"):
        # By another address, so that the page shows the figures of these policies, also when it is reloaded.
        messages.warning(request, form.error_text())
        return HttpResponseRedirect(asked.url(form))
    if not is_valid:
        return _confirm(asked, form)
    if isinstance(action, BatchKind):
        return _start(asked, action, form)
    reason = form.cleaned_data["reason"]
    return _export(asked, reason) if action.name == EXPORT else _erase(asked, reason)


def _preflight(asked: _Asked, form: ConfirmForm) -> HttpResponseBase:
    audit_record(
        actor=actor_of(asked.request),
        verb="preflight.exported",
        subject_kind="preflight",
        subject_id="csv",
        reason=policies_summary(form.policies),
    )
    return preflight_csv(asked.selection, asked.action.counted_as, form.policies)


def _export(asked: _Asked, reason: str) -> HttpResponseBase:
    audit_record(
        actor=actor_of(asked.request),
        verb="mapping.exported",
        subject_kind="mapping",
        subject_id="csv",
        reason=reason,
    )
    return streamed_csv(f"mapping-{timezone.now():%Y%m%d-%H%M%S}.csv", mapping_chunks(asked.selection))


def _erase(asked: _Asked, reason: str) -> HttpResponse:
    actor = actor_of(asked.request)
    erased = server_messages_erase(selection=asked.selection, actor=actor, reason=reason)
    messages.success(asked.request, f"Erased what servers said of {erased:,} threads.")
    return HttpResponseRedirect(asked.back)


def _start(asked: _Asked, kind: BatchKind, form: ConfirmForm) -> HttpResponse:
    request, chosen = asked.request, form.settings
    if kind.converts:
        chosen["policies"] = policies_as_dict(form.policies)
    known = row_key(request.POST.get("known", ""))
    try:
        with transaction.atomic():
            batch = batch_create(
                kind=kind.name,
                selection=asked.selection,
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                settings=chosen,
                known=newest_alike(kind.name, asked.selection) if known is None else known,
                estimated_calls=row_key(request.POST.get("calls", "")),
                **form.throttle,
            )
            enqueue(BATCH_TASK, batch.pk)
    except StartedBeforeError as error:
        return _started_before(request, error.batch)
    if batch.state == Batch.State.WAITING:
        messages.warning(request, f"Batch {batch.pk} waits: a second person must approve it.")
    else:
        messages.success(request, f"Batch {batch.pk} was started: {kind.title.lower()}.")
    return HttpResponseRedirect(_batch_url(batch))


def _started_before(request: HttpRequest, first: Batch) -> HttpResponse:
    ago = duration_text(timezone.now() - first.created_at)
    messages.warning(
        request,
        f"Nothing was started: {first.created_by_name} started the same {ago} ago, as batch {first.pk} "
        f"({first.get_state_display()}). To start another one all the same, open the confirm page again.",
    )
    return HttpResponseRedirect(_batch_url(first))


def _batch_url(batch: Batch) -> str:
    return reverse("admin:migration_app_batch_change", args=[batch.pk])
