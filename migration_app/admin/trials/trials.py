"""Try-outs: started after their calls were counted and confirmed, followed, judged by people, compared blind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act, ActRefusedError
from migration_app.admin.base.addresses import back_of_address
from migration_app.admin.base.columns import badge_column, column, moment_column, text_column
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import ListButton
from migration_app.admin.base.pagination import slice_of
from migration_app.admin.base.task_pages import TaskPageAdmin, TaskProgress
from migration_app.admin.base.workers import workers_state
from migration_app.admin.trials.forms import BudgetForm, ConfirmForm, JudgeForm, RevealForm, StartForm
from migration_app.admin.trials.pages import (
    cost_figures,
    scratch_badge,
    state_badge,
    trial_choices,
    trial_counts,
    trial_estimate,
    trial_percent,
    trial_progress_text,
    turn_context,
    turn_rows,
)
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.jobs import enqueue
from migration_app.models import Prompt, Trial, TrialResult, TrialScratch, TrialTurn
from migration_app.trials.judging import (
    CSV_HEADER,
    JudgingRefusedError,
    judgeable_turns,
    trial_reveal,
    trial_tally,
    turn_judge,
    turns_unjudged,
    verdict_rows,
)
from migration_app.trials.plan import BYTES_A_TOKEN, TrialRefusedError, trial_plan
from migration_app.trials.tasks import TRIAL_TASK
from migration_app.trials.trials import (
    ENDED,
    OPEN,
    results_of,
    scratches_left,
    trial_clean,
    trial_create,
    trial_resume,
    trial_stop,
)

TRY = "migration_app.try_prompt"
CONTENT = "migration_app.view_content"
_S = Trial.State
_R = TrialResult.State
_NAME = "migration_app_trial"
_TURNS_A_PAGE = 50
_SUGGESTED = 200


def _stop(row: Trial, actor: Actor, _data: Mapping[str, Any]) -> str:
    if not trial_stop(pk=row.pk, actor=actor):
        raise ActRefusedError("It was over already.")
    enqueue(TRIAL_TASK, row.pk)
    return "No more is asked; a worker deletes what was made."


def _resume(row: Trial, actor: Actor, data: Mapping[str, Any]) -> str:
    if not trial_resume(pk=row.pk, actor=actor, **data):
        raise ActRefusedError("There is nothing to resume.")
    enqueue(TRIAL_TASK, row.pk)
    return "It is resumed."


def _clean(row: Trial, actor: Actor, _data: Mapping[str, Any]) -> str:
    if not trial_clean(pk=row.pk, actor=actor):
        raise ActRefusedError("There is nothing to delete.")
    enqueue(TRIAL_TASK, row.pk)
    return "A worker tries again to delete what is left."


def _reveal(row: Trial, actor: Actor, data: Mapping[str, Any]) -> str:
    if not trial_reveal(pk=row.pk, actor=actor, ends_judging=data["ends_judging"]):
        raise ActRefusedError("There is nothing to reveal.")
    return "The versions are named; judging has ended."


@admin.register(Trial)
class TrialAdmin(TaskPageAdmin[Trial]):
    """Prompt versions, tried out on real turns."""

    list_display = ("show_name", "show_state", "show_versions", "show_answers", "show_by", "show_created")
    list_filter = (choice_filter("state", "state", list(_S.choices)),)
    list_select_related = row_related = ("version_a__prompt", "version_b__prompt")
    row_name = "try-out"
    open_states = OPEN
    ordering = ("-id",)
    acts: ClassVar[Mapping[str, Act]] = {
        "stop": Act(_stop, permissions=(TRY,)),
        "resume": Act(_resume, BudgetForm, (TRY,)),
        "clean": Act(_clean, permissions=(TRY,)),
        "reveal": Act(_reveal, RevealForm, (TRY,)),
    }
    act_refusals = (ActRefusedError, TrialRefusedError, JudgingRefusedError)
    list_buttons = (ListButton("Try a prompt out", f"{_NAME}_start", "experiment", TRY, is_main=True),)

    def get_urls(self) -> list[URLPattern]:
        """Add starting, turns and the download."""
        wrap = self.admin_site.admin_view
        return [
            path("start/", wrap(self.start_view), name=f"{_NAME}_start"),
            path("<int:pk>/verdicts.csv", wrap(self.csv_view), name=f"{_NAME}_csv"),
            path("<int:pk>/turns/<int:position>/", wrap(self.turn_view), name=f"{_NAME}_turn"),
            *super().get_urls(),
        ]

    show_name = text_column("try-out", "pk", order="id")
    show_state = badge_column("state", state_badge, order="state")
    show_versions = column(
        "versions",
        lambda row: f"{row.version_a} against {row.version_b}" if row.is_ab else str(row.version_a),
    )
    show_answers = column("turns", lambda row: f"{row.estimated.get('turns', 0):,}")
    show_by = text_column("by", "created_by_name")
    show_created = moment_column("requested", "created_at", order="created_at")

    # --- starting ---------------------------------------------------------------------------------

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """GET: choose, and count the calls. POST: start what was counted."""
        if not (request.user.has_perm(TRY) and self.has_view_permission(request)):
            raise PermissionDenied
        form = StartForm(request.GET)
        if request.method != "POST":
            return self._start_page(request, form)
        confirm = ConfirmForm(request.POST)
        if not confirm.is_valid():
            return self._start_page(request, form, confirm)
        try:
            row = _started(confirm, actor_of(request))
        except TrialRefusedError as error:
            confirm.add_error(None, str(error))
            return self._start_page(request, form, confirm)
        messages.success(request, f"Try-out {row.pk} is in the queue; a worker will run it.")
        return HttpResponseRedirect(self.row_url(row))

    def _start_page(
        self, request: HttpRequest, form: StartForm, refused: ConfirmForm | None = None
    ) -> HttpResponse:
        context: dict[str, Any] = {}
        if form.is_valid() and form.plan is not None:
            plan = form.plan
            budget = {"max_calls": plan.costs.calls_most, "max_tokens": plan.costs.tokens_most}
            context = {
                "plan": plan,
                "versions": form.versions,
                "sealed": form.sealed(),
                "figures": cost_figures(plan.costs, turns=len(plan.turns), threads=plan.threads),
                "left_out": sorted(plan.left_out.items()),
                "confirm": refused or ConfirmForm(initial=budget),
            }
        return self.page(
            request,
            "trials/start.html",
            http_status=400 if refused else 200,
            title="Try a prompt out",
            workers=workers_state(),
            back_url=back_of_address(request, self.list_url()),
            form=form,
            refused=refused,
            slugs=list(Prompt.objects.order_by("slug").values_list("slug", flat=True)[:_SUGGESTED]),
            bytes_a_token=BYTES_A_TOKEN,
            **context,
        )

    # --- one try-out ------------------------------------------------------------------------------

    def task_progress(self, row: Trial) -> TaskProgress:
        """How many answers there are, and what they cost."""
        counts = trial_counts(row)
        is_well = not (counts["failed"] or counts["unknown"])
        return TaskProgress(trial_percent(row), trial_progress_text(row), counts, is_well)

    def row_page(self, request: HttpRequest, row: Trial, /, **refused: ConsoleForm) -> HttpResponse:
        """Show what was asked, what it cost, and what is left to judge."""
        turns = TrialTurn.objects.filter(trial=row).select_related("thread").prefetch_related("results")
        shown = slice_of(request, "page", turns.order_by("position"), size=_TURNS_A_PAGE)
        may_try, ended = request.user.has_perm(TRY), row.state in ENDED
        again = results_of(row).filter(Q(state=_R.PENDING) | Q(state=_R.FAILED, turn__verdict="")).count()
        left = list(scratches_left(row).select_related("thread")[:200]) if ended else []
        to_judge = judgeable_turns(row).filter(verdict="").first()
        return self.page(
            request,
            "trials/trial.html",
            http_status=400 if refused else 200,
            resume_form=refused.get("resume")
            or BudgetForm(initial={"max_calls": row.max_calls, "max_tokens": row.max_tokens}),
            title=str(row),
            obj=row,
            row=row,
            state=state_badge(row),
            **self.progress_context(request, row),
            counts=trial_counts(row),
            estimated=trial_estimate(row),
            left_out=sorted(row.estimated.get("left_out", {}).items()),
            rows=turn_rows(row, shown.rows),
            slice=shown,
            tally=trial_tally(row),
            next_to_judge=_turn_url(to_judge) if to_judge and not row.revealed_at else "",
            may_see=request.user.has_perm(CONTENT),
            may_stop=may_try and row.state in (_S.QUEUED, _S.RUNNING),
            may_go_on=may_try and ended and again > 0,
            again=again,
            left=[(scratch, scratch_badge(scratch)) for scratch in left],
            may_clean=may_try and any(scratch.state != TrialScratch.State.LOST for scratch in left),
            may_reveal=may_try and row.is_blind and ended,
            reveal_form=refused.get("reveal") or RevealForm(),
            unjudged=turns_unjudged(row) if row.is_blind else 0,
            act_urls=self.act_urls(row),
            csv_url=reverse(f"admin:{_NAME}_csv", args=[row.pk]),
        )

    def turn_view(self, request: HttpRequest, pk: int, position: int) -> HttpResponse:
        """GET: the answers side by side. POST: judge them."""
        row = self.row_for(request, pk)
        turn = TrialTurn.objects.select_related("trial", "thread").prefetch_related("results")
        found = turn.filter(trial=row, position=position).first()
        if found is None:
            raise Http404("There is no such turn.")
        if request.method == "POST":
            if not request.user.has_perm(CONTENT):
                raise PermissionDenied
            form = JudgeForm(request.POST)
            return self._judged(request, row, found, form) or self._turn_page(request, row, found, form)
        return self._turn_page(request, row, found, JudgeForm(initial={"comment": found.comment}))

    def _turn_page(self, request: HttpRequest, row: Trial, found: TrialTurn, form: JudgeForm) -> HttpResponse:
        position, may_see = found.position, request.user.has_perm(CONTENT)
        if may_see:
            audit_record(
                actor=actor_of(request),
                verb="trial.content_viewed",
                subject_kind="trial",
                subject_id=str(row.pk),
                reason=f"turn {position + 1}, thread {found.thread.thread_id}",
            )
        judgeable = judgeable_turns(row)
        neighbours = {
            "previous": position - 1 if position else None,
            "following": position + 1 if position + 1 < row.estimated.get("turns", 0) else None,
        }
        return self.page(
            request,
            "trials/turn.html",
            http_status=400 if form.errors else 200,
            form=form,
            title=f"Turn {position + 1} of {row}",
            obj=row,
            row=row,
            turn=found,
            may_see=may_see,
            may_judge=may_see and row.revealed_at is None and judgeable.filter(pk=found.pk).exists(),
            choices=trial_choices(row),
            trial_url=self.row_url(row),
            thread_url=reverse("admin:migration_app_thread_change", args=[found.thread_id]),
            neighbours={
                name: reverse(f"admin:{_NAME}_turn", args=[row.pk, place]) if place is not None else ""
                for name, place in neighbours.items()
            },
            **turn_context(row, found, may_see=may_see),
        )

    def _judged(
        self, request: HttpRequest, row: Trial, turn: TrialTurn, form: JudgeForm
    ) -> HttpResponse | None:
        """Judge it and lead to the next; None if the form is to be shown again."""
        if not form.is_valid():
            return None
        try:
            turn_judge(
                turn_pk=turn.pk,
                choice=form.cleaned_data["verdict"],
                comment=form.cleaned_data["comment"],
                actor=actor_of(request),
            )
        except JudgingRefusedError as error:
            form.add_error(None, str(error))
            return None
        waiting = judgeable_turns(row).filter(verdict="")
        following = waiting.filter(position__gt=turn.position).first() or waiting.first()
        if following is None:
            messages.success(request, "Every turn that can be judged is judged.")
            return HttpResponseRedirect(self.row_url(row))
        messages.success(request, "Judged. This is the next turn.")
        return HttpResponseRedirect(_turn_url(following))

    def csv_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """POST: download the verdicts, without content."""
        row = self.row_for(request, pk)
        if request.method != "POST":
            return HttpResponseRedirect(self.row_url(row))
        if row.is_blind:
            messages.error(request, "Reveal the versions first: the file names them.")
            return HttpResponseRedirect(self.row_url(row))
        audit_record(
            actor=actor_of(request), verb="trial.exported", subject_kind="trial", subject_id=str(row.pk)
        )
        return csv_response(f"try-out-{row.pk}.csv", CSV_HEADER, verdict_rows(row))


def _started(form: ConfirmForm, actor: Actor) -> Trial:
    """Start exactly what was counted. TrialRefusedError if it would cost something else by now."""
    confirmed, budget = form.confirmed, form.cleaned_data
    versions = [found for found in (confirmed.version_a, confirmed.version_b) if found is not None]
    plan = trial_plan(threads=confirmed.threads, versions=versions, chosen=confirmed.chosen)
    if plan.costs != confirmed.costs:
        raise TrialRefusedError(
            "The snapshots have changed since these calls were counted. Count again, then start."
        )
    with transaction.atomic():
        row = trial_create(
            version_a=confirmed.version_a,
            version_b=confirmed.version_b,
            plan=plan,
            chosen=confirmed.chosen,
            max_calls=budget["max_calls"],
            max_tokens=budget["max_tokens"],
            reason=budget["reason"],
            actor=actor,
        )
        enqueue(TRIAL_TASK, row.pk)
    return row


def _turn_url(turn: TrialTurn) -> str:
    return reverse(f"admin:{_NAME}_turn", args=[turn.trial_id, turn.position])
