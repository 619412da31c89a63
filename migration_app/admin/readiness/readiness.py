"""Readiness: which models prompts name and how long these stay, what is gone, functions that nobody may implement.

The page reads a job's last result; refreshing and counting are jobs. A model is replaced here for many prompts at
once: chosen, previewed, then written into a draft of each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import back_of_address
from migration_app.admin.base.badges import Badge, prompt_badge
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.model_admin import ReadOnlyAdmin
from migration_app.admin.base.workers import workers_state
from migration_app.admin.readiness.forms import ModelForm, ReplaceForm
from migration_app.audit.trail import audit_record
from migration_app.jobs import enqueue
from migration_app.models import ReadinessCheck, TargetModel
from migration_app.prompts.model_replace import (
    MOST_AT_ONCE,
    ReplacementRefusedError,
    model_replace,
    model_replacements,
    versions_with_model,
)
from migration_app.prompts.needs import needs_fill, versions_that_count
from migration_app.readiness.checklist import Readiness, models_in_use, readiness_of
from migration_app.readiness.checks import check_request
from migration_app.readiness.function_calls import HEADER, function_uses
from migration_app.readiness.target_models import NEAR_DAYS, ModelProblem, models_to_choose
from migration_app.readiness.tasks import READINESS_TASK

SEE = "migration_app.view_prompt"
CHANGE = "migration_app.change_prompt"

_READ_AT_ONCE = 200
"""Specs that a page reads itself; more are left to a job."""
_JUDGED = 2_000
_SHOWN = 100
_A_FETCH = 200
_COLOURS: Mapping[str, str] = {"error": "danger", "warning": "warning", "unknown": "", "ready": "success"}
_WORDS: Mapping[str, str] = {
    "error": "not usable",
    "warning": "soon not",
    "unknown": "not known",
    "ready": "ready",
}
_ORDER = tuple(_WORDS)


@admin.register(TargetModel)
class ReadinessAdmin(ReadOnlyAdmin[TargetModel]):
    """One page in place of a list, and the way to another model."""

    def get_urls(self) -> list[URLPattern]:
        """Add asking, replacing and the CSV of functions."""
        wrap = self.admin_site.admin_view
        return [
            path("check/<slug:kind>/", wrap(self.check_view), name="migration_app_readiness_check"),
            path("replace/", wrap(self.replace_view), name="migration_app_readiness_replace"),
            path("functions.csv", wrap(self.csv_view), name="migration_app_readiness_functions"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: TargetModel | None = None) -> bool:  # noqa: ARG002 - Django's
        """Users who may see prompts may see their readiness."""
        return request.user.has_perm(SEE)

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Show the readiness of everything."""
        self._allow(request)
        left = needs_fill(most=_READ_AT_ONCE)
        ready = _worst_first()
        functions = function_uses()
        checks = {row.kind: row for row in ReadinessCheck.objects.all()}
        return self.page(
            request,
            "readiness/readiness.html",
            title="Readiness",
            workers=workers_state(),
            target=checks.get("target"),
            calls=checks.get("calls"),
            left_to_read=left,
            near_days=NEAR_DAYS,
            models=[
                {"use": use, "badge": _problem_badge(use.problem), "url": _replace_url(use.model)}
                for use in models_in_use()[:_SHOWN]
            ],
            figures=[
                (Badge(_WORDS[grade], _COLOURS[grade]), sum(each.grade == grade for each in ready))
                for grade in _ORDER
            ],
            prompts=[_prompt_row(each) for each in ready if each.grade != "ready"][:_SHOWN],
            shown_most=_SHOWN,
            judged_most=_JUDGED if len(ready) == _JUDGED else 0,
            functions=functions[:_SHOWN],
            functions_more=len(functions[_SHOWN:]),
            may_change=request.user.has_perm(CHANGE),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,  # noqa: ARG002 - Django's signature
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """A model has no page of its own."""
        self._allow(request)
        return HttpResponseRedirect(self.list_url())

    def check_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """POST: have the target asked, or calls counted, by a job."""
        self._allow(request, CHANGE)
        if kind not in ReadinessCheck.Kind.values:
            raise Http404("There is no such check.")
        if request.method != "POST":
            return HttpResponseRedirect(self.list_url())
        with transaction.atomic():
            check_request(kind=kind, actor=actor_of(request))
            enqueue(READINESS_TASK)
        messages.success(request, "A worker does it: this page shows what it learns once it is through.")
        return HttpResponseRedirect(self.list_url())

    def replace_view(self, request: HttpRequest) -> HttpResponse:
        """Choose a model, see what would change; POST: make the drafts."""
        self._allow(request, CHANGE)
        old = request.GET.get("model", "").replace("\x00", "")[:255]
        replace = ReplaceForm(request.POST) if request.method == "POST" else None
        if replace is not None and replace.is_valid():
            chosen = replace.cleaned_data
            try:
                made, left = model_replace(
                    old=old,
                    new=chosen["to"],
                    version_pks=chosen["version"],
                    reason=chosen["reason"],
                    author=actor_of(request),
                )
            except ReplacementRefusedError as refused:
                replace.add_error(None, str(refused))
            else:
                return self._replaced(request, len(made), left)
        choose = ModelForm(request.POST if replace else request.GET if "to" in request.GET else None)
        name = choose.cleaned_data["to"] if choose.is_valid() else ""
        versions = list(versions_with_model(old)[: MOST_AT_ONCE + 1])
        ticked = replace["version"].value() if replace else None
        return self.page(
            request,
            "readiness/replace.html",
            http_status=400 if replace is not None else 200,
            title=f"Replace {old}",
            old=old,
            new=name,
            form=replace or choose,
            choose=choose,
            replace=replace or ReplaceForm(),
            choices=models_to_choose(),
            row=TargetModel.objects.filter(model_id=name).first() if name.isprintable() else None,
            replacements=[
                {
                    "each": each,
                    "badge": prompt_badge(each.version.state),
                    "ticked": ticked is None or str(each.version.pk) in ticked,
                }
                for each in model_replacements(versions=versions[:MOST_AT_ONCE], model=name)
            ]
            if name
            else [],
            count=len(versions[:MOST_AT_ONCE]),
            more=len(versions) > MOST_AT_ONCE,
            back_url=back_of_address(request, self.list_url()),
        )

    def _replaced(self, request: HttpRequest, made: int, left: list[str]) -> HttpResponse:
        if made:
            text = "1 draft was made. It is" if made == 1 else f"{made} drafts were made. Each is"
            messages.success(request, f"{text} reviewed and activated like any other.")
        if left:
            shown = ", ".join(left[:10]) + (" …" if len(left) > 10 else "")
            messages.warning(request, f"Left as they are, changed meanwhile or done before: {shown}.")
        return HttpResponseRedirect(reverse("admin:migration_app_prompt_changelist"))

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """POST: download every function with its calls."""
        self._allow(request)
        if request.method != "POST":
            return HttpResponseRedirect(self.list_url())
        audit_record(
            actor=actor_of(request),
            verb="readiness.functions_exported",
            subject_kind="target",
            subject_id="functions",
        )
        return csv_response("functions.csv", HEADER, map(dataclasses.astuple, function_uses()))

    def _allow(self, request: HttpRequest, permission: str = SEE) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied


def _worst_first() -> list[Readiness]:
    versions = versions_that_count().select_related("prompt").defer("spec_json", "findings")
    versions = versions.order_by("prompt__slug")[:_JUDGED]
    judged = readiness_of(versions)
    return sorted(judged, key=lambda each: _ORDER.index(each.grade))


def _prompt_row(ready: Readiness) -> dict[str, Any]:
    return {
        "ready": ready,
        "state": prompt_badge(ready.version.state),
        "grade": Badge(_WORDS[ready.grade], _COLOURS[ready.grade]),
    }


def _problem_badge(problem: ModelProblem | None) -> Badge:
    grade = problem.severity if problem else "ready"
    return Badge(_WORDS[grade] if problem else "stays", _COLOURS[grade])


def _replace_url(model: str) -> str:
    return f"{reverse('admin:migration_app_readiness_replace')}?{urlencode({'model': model})}"
