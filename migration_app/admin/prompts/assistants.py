"""Assistants of the source, and the action that makes prompts of them."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act, ActRefusedError
from migration_app.admin.base.addresses import (
    BACK,
    IDS,
    address,
    back_of_address,
    chosen_in_list,
    filters_of_address,
    pks_of_address,
)
from migration_app.admin.base.badges import (
    Badge,
    assistant_badge,
    badge_html,
    fidelity_badge,
    severity_badge,
)
from migration_app.admin.base.filters import FidelityFilter, choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import RowPageAdmin, progress_json
from migration_app.admin.base.rendering import pretty_json
from migration_app.admin.base.workers import workers_state
from migration_app.admin.prompts.forms import CheckForm, ConvertForm, OtherContentForm
from migration_app.contracts import Actor
from migration_app.jobs import enqueue
from migration_app.models import Assistant, AuditEvent, Prompt, SourceObject
from migration_app.prompts.assistant_checks import checks_request
from migration_app.prompts.assistants import Conversions, conversions_newest, conversions_request
from migration_app.prompts.drift import DriftError, assistant_other_dismiss, assistant_other_use
from migration_app.prompts.tasks import ASSISTANT_CHECKS_TASK, CONVERSIONS_TASK
from migration_app.snapshots.pages import source_object_value
from migration_app.threads.selections import SelectionError

CONVERT = "migration_app.convert_assistant"
_ASSISTANTS = "assistant"
_SHOWN_FOR = dt.timedelta(hours=1)
"""How long the list shows the result of the last conversions."""


def _check(assistant: Assistant, actor: Actor, data: Mapping[str, Any]) -> str:
    if not settings.SOURCE_BASE_URL:
        raise ActRefusedError("No live source is configured (SOURCE_BASE_URL).")
    checks_request(assistant_pks=[assistant.pk], actor=actor, reason=data["reason"])
    enqueue(ASSISTANT_CHECKS_TASK)
    return "A worker asks the source; this page shows what it said when reloaded."


def _use(assistant: Assistant, actor: Actor, data: Mapping[str, Any]) -> str:
    reason = data["reason"]
    assistant_other_use(source_object_pk=_other_pk(assistant, data), actor=actor, reason=reason)
    conversions_request(assistant_pks=[assistant.pk], actor=actor, reason=reason)
    enqueue(CONVERSIONS_TASK)
    return "The newer content is used from now on; a new draft is being made of it."


def _keep(assistant: Assistant, actor: Actor, data: Mapping[str, Any]) -> str:
    assistant_other_dismiss(source_object_pk=_other_pk(assistant, data), actor=actor, reason=data["reason"])
    return "The snapshot stays as it is."


def _other_pk(assistant: Assistant, data: Mapping[str, Any]) -> int:
    """The content that the page showed, if it is this assistant's; else 0, which the services refuse."""
    mine = SourceObject.objects.filter(pk=data["other"], object_id=assistant.assistant_id)
    return data["other"] if mine.exists() else 0


@admin.register(Assistant)
class AssistantAdmin(RowPageAdmin[Assistant]):
    """Assistants that were imported, or that some thread named."""

    list_display = (
        "show_name",
        "assistant_id",
        "model",
        "show_status",
        "show_fidelity",
        "show_outcome",
        "show_prompt",
        "show_threads",
    )
    list_filter = (
        choice_filter("status", "status", list(Assistant.Status.choices)),
        choice_filter("outcome", "outcome", list(Assistant.Outcome.choices)),
        FidelityFilter,
    )
    change_list_template = "migration_app/prompts/assistant_list.html"
    acts: ClassVar[Mapping[str, Act]] = {
        "check": Act(_check, CheckForm, (CONVERT,)),
        "use": Act(_use, OtherContentForm, (CONVERT,)),
        "keep": Act(_keep, OtherContentForm, (CONVERT,)),
    }
    act_refusals = (ActRefusedError, DriftError)
    list_select_related = ("prompt",)
    search_fields = ("assistant_id", "name")
    search_help_text = "Part of the name, or the id"
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        """Add the confirm page's target."""
        view = self.admin_site.admin_view(self.convert_view)
        progress = self.admin_site.admin_view(self.progress_view)
        return [
            path("convert/", view, name="migration_app_assistant_convert"),
            path("progress.json", progress, name="migration_app_assistant_progress"),
            *super().get_urls(),
        ]

    @admin.display(description="assistant")
    def show_name(self, assistant: Assistant) -> str:
        """Name, or id where none is known."""
        return format_html("<bdi>{}</bdi>", str(assistant))

    @admin.display(description="status")
    def show_status(self, assistant: Assistant) -> str:
        """Coloured status."""
        return badge_html(assistant_badge(assistant.status))

    @admin.display(description="fidelity")
    def show_fidelity(self, assistant: Assistant) -> str:
        """Coloured grade."""
        return badge_html(fidelity_badge(assistant.fidelity))

    @admin.display(description="last conversion")
    def show_outcome(self, assistant: Assistant) -> str:
        """How the last conversion ended."""
        return format_html(
            '{} <span class="mc-small">{}</span>',
            badge_html(_outcome_badge(assistant)),
            assistant.outcome_text,
        )

    @admin.display(description="prompt")
    def show_prompt(self, assistant: Assistant) -> str:
        """Link to the prompt made of it."""
        prompt = getattr(assistant, "prompt", None)
        if prompt is None:
            return "–"
        url = reverse("admin:migration_app_prompt_change", args=[prompt.pk])
        return format_html('<a class="mc-link" href="{}">{}</a>', url, prompt.slug)

    @admin.display(description="threads")
    def show_threads(self, assistant: Assistant) -> str:
        """Link to its threads; counting them for each row would cost a query each."""
        return format_html('<a class="mc-link" href="{}">threads</a>', _threads_url(assistant))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the conversion to those who may start it."""
        if not request.user.has_perm(CONVERT):
            return {}
        return {"convert": (AssistantAdmin.confirm_conversion, "convert", "Convert to prompts")}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse the action without its permission aloud."""
        if request.POST.get("action") == "convert" and not request.user.has_perm(CONVERT):
            raise PermissionDenied
        newest = conversions_newest()
        is_recent = newest is not None and (
            newest.waiting > 0 or timezone.now() - newest.requested_at < _SHOWN_FOR
        )
        more = {
            "conversions": newest if is_recent else None,
            "conversions_text": _words(newest) if newest else "",
            "conversions_done": newest is not None and not newest.waiting and not newest.failed,
            "workers": workers_state() if newest and newest.waiting else None,
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def progress_view(self, request: HttpRequest) -> JsonResponse:
        """Report progress of the last requested conversions to the list's script."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        newest = conversions_newest()
        if newest is None:
            raise Http404("No conversion was asked for yet.")
        is_open = newest.waiting > 0
        return progress_json(
            is_open=is_open,
            state="running" if is_open else "finished",
            percent=newest.percent,
            text=_words(newest),
            counts={},
        )

    def confirm_conversion(
        self,
        request: HttpRequest,
        assistants: QuerySet[Assistant],  # noqa: ARG002 - Django's signature
    ) -> HttpResponse | None:
        """Lead to the confirm page of what is ticked, or of all that matches."""
        try:
            return HttpResponseRedirect(_convert_url(chosen_in_list(request, model=_ASSISTANTS)))
        except SelectionError as error:
            messages.error(request, str(error))
            return None

    def convert_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the confirm page for the assistants that the address selects. POST to it: ask for the conversion."""
        if not (request.user.has_perm(CONVERT) and self.has_view_permission(request)):
            raise PermissionDenied
        back = back_of_address(request, self.list_url())
        try:
            chosen = self._chosen(request)
        except (SelectionError, IncorrectLookupParameters, DisallowedModelAdminLookup):
            messages.error(request, "This address selects no assistants. Choose them in the list.")
            return HttpResponseRedirect(self.list_url())
        form = ConvertForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._confirm(request, chosen, form, back)
        with transaction.atomic():
            count = conversions_request(
                assistant_pks=list(chosen.values_list("pk", flat=True)),
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
            )
            enqueue(CONVERSIONS_TASK)
        many = "1 assistant is" if count == 1 else f"{count:,} assistants are"
        messages.success(request, f"{many} on the way to a prompt. The list shows when that is done.")
        return HttpResponseRedirect(back)

    def _chosen(self, request: HttpRequest) -> QuerySet[Assistant]:
        """Those that the address names, or all that the list shows with the same filters."""
        pks = pks_of_address(request.GET, model=_ASSISTANTS)
        if pks is None:
            listed = copy.copy(request)
            listed.GET = QueryDict(urlencode(filters_of_address(request.GET)))
            pks = list(self.get_changelist_instance(listed).queryset.values_list("pk", flat=True))
        return Assistant.objects.filter(pk__in=pks)

    def _confirm(
        self, request: HttpRequest, chosen: QuerySet[Assistant], form: ConvertForm, back: str
    ) -> HttpResponse:
        ready = (
            chosen.filter(source__isnull=False).exclude(status=Assistant.Status.QUEUED).order_by("name", "pk")
        )
        count = ready.count()
        return self.page(
            request,
            "prompts/assistants_confirm.html",
            http_status=400 if form.errors else 200,
            title="Convert to prompts",
            ready=list(ready[:20]),
            ready_count=count,
            ready_more=max(0, count - 20),
            without_snapshot=chosen.filter(source__isnull=True).count(),
            queued=chosen.filter(status=Assistant.Status.QUEUED).count(),
            form=form,
            act_url=request.get_full_path(),
            back_url=back,
            workers=workers_state(),
        )

    def row_page(self, request: HttpRequest, assistant: Assistant, /, **refused: ConsoleForm) -> HttpResponse:
        """Show the stored object and what became of it."""
        prompt = Prompt.objects.filter(assistant=assistant).first()
        version = prompt.current_version if prompt else None
        other = (
            SourceObject.objects.filter(
                kind="assistant", object_id=assistant.assistant_id, state=SourceObject.State.CONFLICT
            )
            .order_by("-pk")
            .first()
        )
        convert_url = _convert_url({IDS: str(assistant.pk), BACK: self.row_url(assistant)})
        may_convert = request.user.has_perm(CONVERT) and assistant.source is not None
        return self.page(
            request,
            "prompts/assistant.html",
            http_status=400 if refused else 200,
            check_form=refused.get("check") or CheckForm(),
            other_form=refused.get("other")
            or OtherContentForm(initial={"other": other.pk if other else None}),
            title=str(assistant),
            obj=assistant,
            assistant=assistant,
            status=assistant_badge(assistant.status),
            fidelity=fidelity_badge(assistant.fidelity),
            payload=pretty_json(source_object_value(assistant.source)) if assistant.source else "",
            prompt=prompt,
            version=version,
            findings=finding_rows(version.findings) if version else [],
            threads_url=_threads_url(assistant),
            outcome=_outcome_badge(assistant),
            source_check=_check_badge(assistant),
            other=other,
            other_payload=pretty_json(source_object_value(other)) if other else "",
            may_decide=request.user.has_perm(CONVERT),
            may_check=request.user.has_perm(CONVERT) and bool(settings.SOURCE_BASE_URL),
            act_urls=self.act_urls(assistant),
            workers=workers_state() if assistant.source_check == Assistant.SourceCheck.ASKED else None,
            convert_url=convert_url if may_convert and assistant.status != Assistant.Status.QUEUED else "",
            audit=AuditEvent.objects.filter(
                subject_kind="assistant", subject_id=assistant.assistant_id
            ).order_by("-id")[:10],
        )


def _convert_url(params: Mapping[str, str]) -> str:
    return address(reverse("admin:migration_app_assistant_convert"), params)


def _words(conversions: Conversions) -> str:
    """How far it is, and how it ended so far."""
    parts = [f"{conversions.total - conversions.waiting:,} of {conversions.total:,} done"]
    for count, word in (
        (conversions.created, "with a new version"),
        (conversions.unchanged, "unchanged, so without a new version"),
        (conversions.failed, "failed"),
    ):
        if count:
            parts.append(f"{count:,} {word}")
    return ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]


def _outcome_badge(assistant: Assistant) -> Badge | None:
    colours = {"created": "success", "unchanged": "", "failed": "danger"}
    return Badge(assistant.get_outcome_display(), colours[assistant.outcome]) if assistant.outcome else None


def _check_badge(assistant: Assistant) -> Badge | None:
    colours = {"asked": "primary", "same": "success", "changed": "warning", "missing": "warning"}
    return (
        Badge(assistant.get_source_check_display(), colours.get(assistant.source_check, "danger"))
        if assistant.source_check
        else None
    )


def finding_rows(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stored findings with their colours."""
    return [{**finding, "badge": severity_badge(str(finding.get("severity", "")))} for finding in findings]


def _threads_url(assistant: Assistant) -> str:
    query = urlencode({"assistant__id__exact": assistant.pk})
    return f"{reverse('admin:migration_app_thread_changelist')}?{query}"
