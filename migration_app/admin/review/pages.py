"""The pages of the review queue and what their buttons do. A POST leads back by a redirect; GET changes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import BACK
from migration_app.admin.base.pages import console_page
from migration_app.admin.base.posts import posted_from
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.confirm import confirm_context
from migration_app.admin.batches.forms import ConfirmForm
from migration_app.admin.review.case import (
    age_text,
    case_context,
    case_filter,
    reading_context,
    standard_template,
)
from migration_app.admin.review.forms import AssignForm, DecisionForm, FilterForm
from migration_app.admin.threads.confirm_pages import action_url
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.contracts import Policies
from migration_app.counters import tally_lines, tally_sums
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue
from migration_app.models import Batch, ReviewCase, ReviewReading, Thread
from migration_app.review.assignments import (
    AT_ONCE,
    PERMISSION,
    AssignmentRefusedError,
    case_assign,
    case_release,
    group_take,
)
from migration_app.review.decisions import (
    DecisionRefusedError,
    case_decide,
    case_offers,
    group_decide,
    group_offers,
)
from migration_app.review.queue import case_after, queue_groups, queue_selection
from migration_app.review.readings import ReadingRefusedError, reading_request
from migration_app.review.reasons import KIND_TEMPLATES, SECTIONS, TEMPLATES, reason_of
from migration_app.review.tasks import READING_TASK

_ROWS_A_PAGE = 50


def queue_view(request: HttpRequest) -> HttpResponse:
    """GET: the groups; with a reason in the address, that group's threads, oldest first."""
    form = FilterForm(request)
    chosen = form.chosen()
    groups = queue_groups(chosen)
    context: dict[str, Any] = {
        "filter": form,
        "is_filtered": bool(form.query(code=None)),
        "clear_url": reverse("review_queue"),
        "may_review": request.user.has_perm(PERMISSION),
        "at_once": AT_ONCE,
        "sections": [
            {
                "title": title,
                "meaning": meaning,
                "groups": [
                    _group_row(request, form, group) for group in groups if group.reason.section == section
                ],
            }
            for section, (title, meaning) in SECTIONS.items()
        ],
        "has_groups": bool(groups),
        "stopped": _stopped(),
    }
    if chosen.code is not None:
        context |= _group_context(request, form)
    title = reason_of(chosen.code).title if chosen.code is not None else "Review"
    return console_page(
        request, "review/queue.html", title=title, http_status=400 if form.errors else 200, **context
    )


def _group_row(request: HttpRequest, form: FilterForm, group: Any) -> dict[str, Any]:
    query = form.query(code=group.reason.code)
    return {
        "group": group,
        "age": age_text(group.oldest),
        "url": reverse("review_queue") + query,
        "first_url": reverse("review_first") + query,
        "take_url": reverse("review_take") + query,
        "offers": [
            (offer, reverse("review_decide_group", args=[offer.kind.name]) + query)
            for offer in group_offers(group.reason, request.user.has_perm)
            if offer.is_permitted
        ],
    }


def first_view(request: HttpRequest) -> HttpResponse:
    """GET: on to the oldest thread of a group."""
    form = FilterForm(request)
    first = form.chosen().cases().values_list("pk", flat=True).first()
    if first is None:
        messages.info(request, "Nothing of this group waits any more.")
        return HttpResponseRedirect(reverse("review_queue") + form.query(code=None))
    return HttpResponseRedirect(reverse("review_case", args=[first]) + form.query())


def _group_context(request: HttpRequest, form: FilterForm) -> dict[str, Any]:
    """The threads of one group: a page of them, after the one that the address names."""
    cases = form.chosen().cases().select_related("thread", "assistant", "person")
    after = request.GET.get("after", "")
    if after.isascii() and after.isdigit() and len(after) < 19:
        last = ReviewCase.objects.filter(pk=int(after)).first()
        if last is not None:
            cases = cases.filter(entered_at__gte=last.entered_at).exclude(
                entered_at=last.entered_at, thread_id__lte=last.pk
            )
    rows = list(cases[: _ROWS_A_PAGE + 1])
    query = form.query()
    more = f"{query}&{urlencode({'after': rows[_ROWS_A_PAGE - 1].pk})}" if len(rows) > _ROWS_A_PAGE else ""
    return {
        "reason": reason_of(form.chosen().code or ""),
        "cases": [
            (case, reverse("review_case", args=[case.pk]) + query, age_text(case.entered_at))
            for case in rows[:_ROWS_A_PAGE]
        ],
        "more_url": more,
        "all_url": reverse("review_queue") + form.query(code=None),
    }


def _stopped() -> list[dict[str, Any]]:
    """Failed and blocked threads by reason: they are no decisions, and lead to their lists."""
    found = []
    for status in (Thread.Status.FAILED, Thread.Status.BLOCKED):
        lines = [line for line in tally_lines() if line.status == status]
        for code, count in tally_sums(lines, lambda line: line.error_code).most_common():
            query = urlencode({"status__exact": status, **({"error_code__exact": code} if code else {})})
            url = f"{reverse('admin:migration_app_thread_changelist')}?{query}"
            found.append(
                {"status": status.label, "code": code or "no code", "count": f"{count:,}", "url": url}
            )
    return found


def case_view(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: one thread in review; where it has left review, its page says so."""
    form = FilterForm(request)
    case = ReviewCase.objects.select_related("thread", "person").filter(pk=pk).first()
    if case is None:
        thread = Thread.objects.filter(pk=pk).first()
        if thread is None:
            raise Http404("There is no such thread.")
        messages.info(request, f"Thread {thread.thread_id} is not in review.")
        return HttpResponseRedirect(reverse("admin:migration_app_thread_change", args=[pk]))
    context = case_context(request, case, form)
    return console_page(request, "review/case.html", title=f"Review: {case.thread.thread_id}", **context)


@posted_from("review_case")
def decide_view(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """POST: decide about one thread, then open the next of the same group and filter."""
    if kind not in KIND_TEMPLATES:
        raise Http404("There is no such action.")
    form, case = _posted(request), _case(pk)
    if not request.user.has_perm(BATCH_KINDS[kind].permission):
        raise PermissionDenied
    if case is None:
        return _left_review(request, form)
    chosen = case_filter(case, form.chosen())
    query = form.query(code=chosen.code)
    offers = case_offers(case, "", request.user.has_perm)
    decision = DecisionForm(
        request.POST,
        standard=standard_template(case, kind, offers),
        dangerous=BATCH_KINDS[kind].dangerous,
    )
    if not decision.is_valid():
        messages.error(request, decision.error_text())
        return HttpResponseRedirect(reverse("review_case", args=[pk]) + query)
    following = case_after(case, chosen)
    try:
        batch = case_decide(
            case=case, kind=kind, reason=decision.cleaned_data["reason"], actor=actor_of(request)
        )
    except DecisionRefusedError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("review_case", args=[pk]) + query)
    enqueue(BATCH_TASK, batch.pk)
    _say(request, batch, f"{BATCH_KINDS[kind].title}: {case.thread.thread_id}")
    if following is None:
        messages.info(request, "That was the last thread of this group.")
        return HttpResponseRedirect(reverse("review_queue") + form.query(code=None))
    return HttpResponseRedirect(reverse("review_case", args=[following]) + query)


def _say(request: HttpRequest, batch: Batch, what: str) -> None:
    if batch.state == Batch.State.WAITING:
        messages.warning(request, f"{what}. Batch {batch.pk} waits: a second person must approve it.")
    else:
        messages.success(request, f"{what}. Batch {batch.pk} was started.")


@posted_from("review_case")
def assign_view(request: HttpRequest, pk: int) -> HttpResponse:
    """POST: assign the thread to somebody, or release it."""
    form, case = _posted(request), _case(pk)
    if case is None:
        return _left_review(request, form)
    assign = AssignForm(request.POST)
    try:
        if assign.is_valid():
            _assign(case, assign, request)
        else:
            messages.error(request, assign.error_text())
    except AssignmentRefusedError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("review_case", args=[pk]) + form.query())


def _assign(case: ReviewCase, assign: AssignForm, request: HttpRequest) -> None:
    person, seen = assign.cleaned_data["person"], assign.cleaned_data["seen"]
    if person is None:
        case_release(thread_pk=case.pk, seen=seen, actor=actor_of(request))
    else:
        case_assign(thread_pk=case.pk, person=person, seen=seen, actor=actor_of(request))


@posted_from("review_case")
def read_view(request: HttpRequest, pk: int) -> HttpResponse:
    """POST: ask for a new reading; a worker does it, and the page follows."""
    form, case = _posted(request), _case(pk)
    if case is None:
        return _left_review(request, form)
    try:
        row = reading_request(thread_pk=case.pk, actor=actor_of(request))
        enqueue(READING_TASK, row.pk)
    except ReadingRefusedError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("review_case", args=[pk]) + form.query())


def reading_view(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the live part of a thread's page. It shows no content, so it writes no audit row."""
    reading = ReviewReading.objects.filter(pk=pk).first()
    context = reading_context(pk, reading, FilterForm(request).query())
    return TemplateResponse(request, "migration_app/review/reading_state.html", context)


@posted_from("review_queue", of_row=False)
def take_view(request: HttpRequest) -> HttpResponse:
    """POST: assign the oldest threads of a group that nobody has to this person."""
    form = _posted(request)
    taken = group_take(form.chosen(), person=request.user, actor=actor_of(request))  # type: ignore[arg-type]
    if taken:
        messages.success(request, f"{taken} {'thread is' if taken == 1 else 'threads are'} assigned to you.")
    else:
        messages.info(request, "Nothing of this group waits that nobody has.")
    return HttpResponseRedirect(reverse("review_queue") + form.query(who="me"))


def decide_group_view(request: HttpRequest, kind: str) -> HttpResponse:
    """GET: what a decision about all that the filter leaves would do. POST: start it."""
    form = FilterForm(request)
    chosen = form.chosen()
    if kind not in KIND_TEMPLATES or chosen.code is None:
        raise Http404("There is no such decision.")
    if not request.user.has_perm(BATCH_KINDS[kind].permission):
        raise PermissionDenied
    action, reason = BATCH_KINDS[kind], reason_of(chosen.code)
    standard = reason.template if kind == reason.actions[0] else KIND_TEMPLATES[kind]
    decision = DecisionForm(request.POST or None, standard=standard, kinds=[kind])
    back = reverse("review_queue") + form.query()
    if request.method == "POST" and decision.is_valid():
        batch = group_decide(
            chosen=chosen, kind=kind, reason=decision.cleaned_data["reason"], actor=actor_of(request)
        )
        enqueue(BATCH_TASK, batch.pk)
        _say(request, batch, f"{action.title}: {reason.title}")
        return HttpResponseRedirect(reverse("admin:migration_app_batch_change", args=[batch.pk]))
    selection, is_cut = queue_selection(chosen)
    figures = confirm_context(
        action, selection, Policies(), ConfirmForm(action=action), actor=actor_of(request)
    )
    filters = selection.get("filters")
    confirm = action_url(kind, {**filters, BACK: back}) if filters else ""
    return console_page(
        request,
        "review/decide_group.html",
        title=f"{action.title}: {reason.title}",
        http_status=400 if decision.is_bound else 200,
        **{
            **figures,
            "reason": reason,
            "consequence": reason.consequence(kind),
            "standard_reason": TEMPLATES[standard],
            "decision": decision,
            "is_cut": is_cut,
            "workers": workers_state(),
            "confirm_url": confirm,
            "back_url": back,
        },
    )


def _left_review(request: HttpRequest, form: FilterForm) -> HttpResponse:
    messages.info(request, "The thread is not in review any more: somebody has decided about it.")
    return HttpResponseRedirect(reverse("review_queue") + form.query())


def _case(pk: int) -> ReviewCase | None:
    return ReviewCase.objects.select_related("thread").filter(pk=pk).first()


def _posted(request: HttpRequest) -> FilterForm:
    """The filter of the address, for somebody who may decide."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    return FilterForm(request)
