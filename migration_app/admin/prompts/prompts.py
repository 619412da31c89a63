"""Prompts: specs for responses.create with their versions, states, and export as JSON."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import (
    Badge,
    badge_html,
    fidelity_badge,
    prompt_badge,
)
from migration_app.admin.base.filters import ExactFilter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import ListButton, RowPageAdmin
from migration_app.admin.base.rendering import pretty_json
from migration_app.admin.prompts.acts import (
    compare_view,
    edit_view,
    take_step,
    version_or_404,
    version_url,
)
from migration_app.admin.prompts.assistants import finding_rows
from migration_app.admin.prompts.files import prompt_file_urls, zip_response
from migration_app.admin.prompts.forms import DashboardForm, ReviewForm, say_what_is_needed
from migration_app.admin.prompts.pages import (
    conversion_before,
    dashboard_text,
    next_step,
    spec_parts,
    steps_of,
    version_badge,
    version_grades,
    version_rows,
    versions_of,
    worse_grade,
)
from migration_app.audit.trail import audit_record
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.prompts.drift import prompt_drift, prompts_with_drift
from migration_app.prompts.files import prompt_document
from migration_app.prompts.review import EDGES, PERMISSIONS

EXPORT = "migration_app.export_prompts"
CHANGE = "migration_app.change_prompt"
_SHOWN_VERSIONS = 100

_WAITING: dict[str, tuple[str, Q]] = {
    "review": ("waits for a review", Q(in_review=True)),
    "activation": ("waits to be activated", Q(newest_state="approved")),
    "draft": ("newest version is a draft", Q(newest_state="draft")),
    "inactive": ("no version in use", Q(active_number=None)),
    "drift": ("assistant changed since", Q(drifts=True)),
}


class WaitingFilter(ExactFilter):
    """Prompts by what they wait for."""

    title = "waiting for"
    parameter_name = "waiting"

    def options(self) -> list[tuple[str, str]]:
        """Every kind of waiting."""
        return [(value, text) for value, (text, _condition) in _WAITING.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's
        """Narrow the list."""
        chosen = _WAITING.get(str(self.value() or ""))
        return queryset.filter(chosen[1]) if chosen else queryset


@admin.register(Prompt)
class PromptAdmin(RowPageAdmin[Prompt]):
    """What assistants became."""

    list_display = (
        "slug",
        "show_assistant",
        "show_active",
        "show_newest",
        "show_fidelity",
        "show_drift",
        "show_dashboard_id",
    )
    list_buttons = (
        ListButton("Import edited files", "migration_app_prompt_import", "upload_file", CHANGE),
        ListButton(
            "Export all active", "migration_app_prompt_zip", "folder_zip", EXPORT, is_main=True, is_post=True
        ),
    )
    list_select_related = ("assistant",)
    row_related = ("assistant__source",)
    list_filter = (WaitingFilter,)
    search_fields = ("slug", "name", "assistant__assistant_id")
    search_help_text = "Part of the name, or the assistant's id"
    ordering = ("slug",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prompt]:
        """Add the newest and the active version's figures, so that a row costs no query of its own."""
        newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number")
        active = PromptVersion.objects.filter(prompt=OuterRef("pk"), state=PromptVersion.State.ACTIVE)
        prompts = super().get_queryset(request)
        return prompts_with_drift(prompts).annotate(
            # Also one with a newer draft: it must not be forgotten.
            in_review=Exists(
                PromptVersion.objects.filter(prompt=OuterRef("pk"), state=PromptVersion.State.IN_REVIEW)
            ),
            newest_number=Subquery(newest.values("number")[:1]),
            newest_state=Subquery(newest.values("state")[:1]),
            newest_fidelity=Subquery(newest.values("fidelity")[:1]),
            conversion_fidelity=Subquery(
                newest.filter(origin=PromptVersion.Origin.CONVERTED).values("fidelity")[:1]
            ),
            active_number=Subquery(active.values("number")[:1]),
        )

    def get_urls(self) -> list[URLPattern]:
        """Add export, note, review acts, comparison and edit of one prompt."""
        return [
            *prompt_file_urls(self),
            self._path("export/", self.export_view, "export"),
            self._path("note/", self.note_view, "note"),
            self._path("compare/", self.compare_view, "compare"),
            self._path("edit/", self.edit_view, "edit"),
            self._path("<int:number>/<slug:act>/", self.act_view, "act"),
            *super().get_urls(),
        ]

    def _path(self, tail: str, view: Any, name: str) -> URLPattern:
        wrapped = self.admin_site.admin_view(view)
        route: URLPattern = path(f"<int:pk>/{tail}", wrapped, name=f"migration_app_prompt_{name}")
        return route

    @admin.display(description="assistant")
    def show_assistant(self, prompt: Prompt) -> str:
        """Link to the assistant."""
        url = reverse("admin:migration_app_assistant_change", args=[prompt.assistant_id])
        return format_html('<a class="mc-link" href="{}"><bdi>{}</bdi></a>', url, prompt.assistant)

    @admin.display(description="in use")
    def show_active(self, prompt: Prompt) -> str:
        """Number of the active version."""
        number = getattr(prompt, "active_number", None)
        return badge_html(version_badge(number, PromptVersion.State.ACTIVE))

    @admin.display(description="newest version")
    def show_newest(self, prompt: Prompt) -> str:
        """Number and state of the newest version, where it is not the one in use."""
        number, state = getattr(prompt, "newest_number", None), getattr(prompt, "newest_state", "")
        return badge_html(None if state == PromptVersion.State.ACTIVE else version_badge(number, state))

    @admin.display(description="fidelity")
    def show_fidelity(self, prompt: Prompt) -> str:
        """Coloured grade of the newest version, or of the conversion that it goes back to if that is worse."""
        grades = [getattr(prompt, name, None) or "" for name in ("newest_fidelity", "conversion_fidelity")]
        return badge_html(fidelity_badge(worse_grade(*grades)))

    @admin.display(description="assistant since")
    def show_drift(self, prompt: Prompt) -> str:
        """Whether the assistant says something else since."""
        return badge_html(Badge("changed", "warning") if getattr(prompt, "drifts", False) else None)

    @admin.display(description="dashboard prompt")
    def show_dashboard_id(self, prompt: Prompt) -> str:
        """The optional note, and whether such ids have ended."""
        if not prompt.dashboard_prompt_id:
            return "–"
        text, ended = dashboard_text()
        return format_html(
            '<span class="mc-mono" title="{}"><bdi>{}</bdi></span> {}',
            text,
            prompt.dashboard_prompt_id,
            badge_html(Badge("ended" if ended else "ends 2026-11-30", "danger" if ended else "warning")),
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the export to those who may have it."""
        if not request.user.has_perm(EXPORT):
            return {}
        return {"export": (PromptAdmin.export_many, "export", "Export active versions")}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse the action without its permission aloud."""
        if request.POST.get("action") == "export" and not request.user.has_perm(EXPORT):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def export_many(self, request: HttpRequest, prompts: QuerySet[Prompt]) -> HttpResponse | None:
        """Download the active versions of prompts as a zip."""
        # By key again: the list's query carries annotations and an order of its own.
        return zip_response(request, Prompt.objects.filter(pk__in=prompts.values("pk")))

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: download one prompt as JSON."""
        prompt = self.row_for(request, pk, EXPORT)
        if request.method != "POST":
            return HttpResponseRedirect(page_url(prompt))
        return self._document(request, prompt) or HttpResponseRedirect(page_url(prompt))

    def _document(self, request: HttpRequest, prompt: Prompt) -> HttpResponse | None:
        version = prompt.active_version or prompt.current_version
        if version is None:
            messages.error(request, f"{prompt.slug} has no version yet.")
            return None
        self._audit_export(request, prompt.slug)
        return HttpResponse(
            prompt_document(version),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{prompt.slug}.json"'},
        )

    def _audit_export(self, request: HttpRequest, slug: str) -> None:
        audit_record(actor=actor_of(request), verb="prompt.exported", subject_kind="prompt", subject_id=slug)

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: note the id and version of a dashboard prompt beside this one."""
        prompt = self.row_for(request, pk, CHANGE)
        if request.method != "POST":
            return HttpResponseRedirect(page_url(prompt))
        form = DashboardForm(request.POST)
        if not form.is_valid():
            return self.row_page(request, prompt, note=form)
        note, version = (
            form.cleaned_data[name] for name in ("dashboard_prompt_id", "dashboard_prompt_version")
        )
        with transaction.atomic():
            Prompt.objects.filter(pk=prompt.pk).update(
                dashboard_prompt_id=note, dashboard_prompt_version=version
            )
            audit_record(
                actor=actor_of(request),
                verb="prompt.dashboard_id_noted",
                subject_kind="prompt",
                subject_id=prompt.slug,
                reason=f"{note} {version}".strip() if note else "cleared",
            )
        messages.success(request, "The dashboard prompt id was saved." if note else "The id was cleared.")
        return HttpResponseRedirect(page_url(prompt))

    def compare_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show two versions side by side, or one beside today's assistant."""
        return compare_view(self, request, self.row_for(request, pk))

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the form of a new version; POST makes one."""
        return edit_view(self, request, self.row_for(request, pk, CHANGE))

    def act_view(self, request: HttpRequest, pk: int, number: int, act: str) -> HttpResponse:
        """POST: take a step of the review; back to the version's page, which says what comes next."""
        prompt = self.row_for(request, pk)
        if act not in EDGES:
            raise Http404("There is no such act.")
        if not request.user.has_perm(PERMISSIONS[act]):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(version_url(prompt, number=number))
        refused = take_step(request, version_or_404(prompt, str(number)), act)
        if refused is not None:
            return self._show(request, prompt, str(number), review=refused)
        return HttpResponseRedirect(version_url(prompt, number=number))

    def row_page(self, request: HttpRequest, prompt: Prompt, /, **refused: ConsoleForm) -> HttpResponse:
        """Show the prompt's state and its newest version; ?version=N shows that one."""
        return self._show(request, prompt, request.GET.get("version", ""), **refused)

    def _show(self, request: HttpRequest, prompt: Prompt, asked: str, **refused: ConsoleForm) -> HttpResponse:
        versions = list(versions_of(prompt)[:_SHOWN_VERSIONS])
        found = next(
            (version for version in versions if str(version.number) == asked),
            versions[0] if versions else None,
        )
        shown = PromptVersion.objects.select_related("prompt").get(pk=found.pk) if found else None
        active = next((version for version in versions if version.state == PromptVersion.State.ACTIVE), None)
        active = active or prompt.active_version
        conversion = conversion_before(shown) if shown else None
        text, ended = dashboard_text()
        step = next_step(request, prompt, shown) if shown else None
        noted = {name: getattr(prompt, name) for name in ("dashboard_prompt_id", "dashboard_prompt_version")}
        review_form = refused.get("review") or ReviewForm()
        say_what_is_needed(review_form, [act.needs_comment for act in step.allowed] if step else [])
        return self.page(
            request,
            "prompts/prompt.html",
            http_status=400 if refused else 200,
            review_form=review_form,
            note_form=refused.get("note") or DashboardForm(initial=noted),
            title=prompt.slug,
            obj=prompt,
            prompt=prompt,
            shown=shown,
            newest=versions[0] if versions else None,
            active=active,
            state=prompt_badge(shown.state) if shown else None,
            fidelities=version_grades(shown, conversion) if shown else [],
            steps=steps_of(shown) if shown else [],
            step=step,
            drift=prompt_drift(prompt, versions[0] if versions else None),
            parts=spec_parts(shown) if shown else {},
            spec=pretty_json(shown.spec) if shown else "",
            findings=finding_rows(shown.findings) if shown else [],
            conversion=conversion,
            conversion_findings=finding_rows(conversion.findings) if conversion else [],
            versions=version_rows(versions, active),
            more_versions=prompt.versions.count() - len(versions),
            may_export=request.user.has_perm(EXPORT),
            may_change=request.user.has_perm(CHANGE),
            dashboard_text=text,
            dashboard_ended=ended,
            audit=AuditEvent.objects.filter(subject_kind="prompt", subject_id=prompt.slug).order_by("-id")[
                :10
            ],
        )


def page_url(prompt: Prompt) -> str:
    """Address of a prompt's page."""
    return reverse("admin:migration_app_prompt_change", args=[prompt.pk])
