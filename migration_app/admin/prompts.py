"""Prompts: specs for responses.create with their versions, and their way out as JSON."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from migration_app.admin.actors import actor_of
from migration_app.admin.assistants import finding_rows
from migration_app.admin.badges import badge_html, fidelity_badge
from migration_app.admin.bodies import pretty_json
from migration_app.admin.skin import ReadOnlyAdmin
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.services.audit import audit_record
from migration_app.services.prompts import prompt_document, prompts_archive

EXPORT = "migration_app.export_prompts"
CHANGE = "migration_app.change_prompt"


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin[Prompt]):
    """What assistants became."""

    list_display = (
        "slug",
        "name",
        "show_assistant",
        "show_version",
        "show_fidelity",
        "show_hash",
        "show_dashboard_id",
    )
    list_select_related = ("assistant",)
    search_fields = ("slug", "name", "assistant__assistant_id")
    search_help_text = "Part of the name, or the assistant's id"
    ordering = ("slug",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prompt]:
        """Add the newest version's figures, so that a row costs no query of its own."""
        newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number")
        return (
            super()
            .get_queryset(request)
            .annotate(
                newest_number=Subquery(newest.values("number")[:1]),
                newest_fidelity=Subquery(newest.values("fidelity")[:1]),
                newest_sha256=Subquery(newest.values("sha256")[:1]),
            )
        )

    def get_urls(self) -> list[URLPattern]:
        """Add export and note of one prompt."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/export/", wrap(self.export_view), name="migration_app_prompt_export"),
            path("<int:pk>/note/", wrap(self.note_view), name="migration_app_prompt_note"),
            *super().get_urls(),
        ]

    @admin.display(description="assistant")
    def show_assistant(self, prompt: Prompt) -> str:
        """Link to the assistant."""
        url = reverse("admin:migration_app_assistant_change", args=[prompt.assistant_id])
        return format_html('<a class="mc-link" href="{}"><bdi>{}</bdi></a>', url, prompt.assistant)

    @admin.display(description="version")
    def show_version(self, prompt: Prompt) -> str:
        """Number of the newest version."""
        number = getattr(prompt, "newest_number", None)
        return f"v{number}" if number else "–"

    @admin.display(description="fidelity")
    def show_fidelity(self, prompt: Prompt) -> str:
        """Coloured grade of the newest version."""
        return badge_html(fidelity_badge(getattr(prompt, "newest_fidelity", None) or ""))

    @admin.display(description="hash")
    def show_hash(self, prompt: Prompt) -> str:
        """The first digits of the newest version's hash."""
        digest = getattr(prompt, "newest_sha256", None)
        return format_html('<span class="mc-mono">{}</span>', digest[:12]) if digest else "–"

    @admin.display(description="dashboard prompt id")
    def show_dashboard_id(self, prompt: Prompt) -> str:
        """The optional note."""
        return prompt.dashboard_prompt_id or "–"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the export to those who may have it."""
        if not request.user.has_perm(EXPORT):
            return {}
        return {"export": (PromptAdmin.export_many, "export", "Export as JSON")}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse the action without its permission aloud."""
        if request.POST.get("action") == "export" and not request.user.has_perm(EXPORT):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def export_many(self, request: HttpRequest, prompts: QuerySet[Prompt]) -> HttpResponse | None:
        """Download the newest versions: one as .json, several as .zip."""
        slugs = list(prompts.order_by("slug").values_list("slug", flat=True))
        if len(slugs) == 1:
            return self._document(request, prompts.get())
        for slug in slugs:
            self._audit_export(request, slug)
        # By key again: the list's query carries annotations and an order of its own.
        archive = prompts_archive(Prompt.objects.filter(slug__in=slugs))
        return HttpResponse(
            archive,
            content_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="prompts.zip"'},
        )

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: download one prompt as JSON."""
        if not (request.user.has_perm(EXPORT) and self.has_view_permission(request)):
            raise PermissionDenied
        prompt = self._prompt(pk)
        if request.method != "POST":
            return HttpResponseRedirect(_page_url(prompt))
        return self._document(request, prompt) or HttpResponseRedirect(_page_url(prompt))

    def _document(self, request: HttpRequest, prompt: Prompt) -> HttpResponse | None:
        version = prompt.current_version
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
        """POST: note the id of a dashboard prompt beside this one."""
        if not (request.user.has_perm(CHANGE) and self.has_view_permission(request)):
            raise PermissionDenied
        prompt = self._prompt(pk)
        if request.method != "POST":
            return HttpResponseRedirect(_page_url(prompt))
        note = request.POST.get("dashboard_prompt_id", "").replace("\x00", "").strip()
        if len(note) > 255 or (note and not note.startswith("pmpt_")):
            messages.error(request, "A dashboard prompt id begins with pmpt_ and has at most 255 characters.")
            return HttpResponseRedirect(_page_url(prompt))
        with transaction.atomic():
            Prompt.objects.filter(pk=prompt.pk).update(dashboard_prompt_id=note)
            audit_record(
                actor=actor_of(request),
                verb="prompt.dashboard_id_noted",
                subject_kind="prompt",
                subject_id=prompt.slug,
                reason=note or "cleared",
            )
        messages.success(request, "The dashboard prompt id was saved." if note else "The id was cleared.")
        return HttpResponseRedirect(_page_url(prompt))

    def _prompt(self, pk: int) -> Prompt:
        prompt = Prompt.objects.select_related("assistant").filter(pk=pk).first()
        if prompt is None:
            raise Http404("There is no such prompt.")
        return prompt

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Show the current spec and the versions before it; ?version=N shows that one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404("There is no such prompt.")
        prompt = self._prompt(int(object_id))
        versions = list(prompt.versions.order_by("-number")[:100])
        asked = request.GET.get("version", "")
        shown = next(
            (version for version in versions if str(version.number) == asked),
            versions[0] if versions else None,
        )
        return self.page(
            request,
            "prompt.html",
            title=prompt.slug,
            obj=prompt,
            prompt=prompt,
            shown=shown,
            is_current=bool(versions) and shown is versions[0],
            fidelity=fidelity_badge(shown.fidelity) if shown else None,
            spec=pretty_json(shown.spec) if shown else "",
            findings=finding_rows(shown.findings) if shown else [],
            versions=[(version, fidelity_badge(version.fidelity)) for version in versions],
            may_export=request.user.has_perm(EXPORT),
            may_change=request.user.has_perm(CHANGE),
            audit=AuditEvent.objects.filter(subject_kind="prompt", subject_id=prompt.slug).order_by("-id")[
                :10
            ],
        )


def _page_url(prompt: Prompt) -> str:
    return reverse("admin:migration_app_prompt_change", args=[prompt.pk])
