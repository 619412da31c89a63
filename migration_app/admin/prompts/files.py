"""A prompt's way out and back: downloads for source control, blocks to copy into the dashboard, edited files imported.

``PromptAdmin`` adds ``prompt_file_urls`` to its own. A download is a POST: it leaves an audit row.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import back_of_address
from migration_app.admin.base.badges import prompt_badge
from migration_app.admin.base.rendering import pretty_json
from migration_app.admin.prompts.forms import PromptFilesForm
from migration_app.admin.prompts.pages import dashboard_text
from migration_app.audit.trail import audit_record
from migration_app.conversion.text import clean_text, label
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.files import (
    export_zip,
    prompt_document,
    prompt_module,
    prompts_export,
)
from migration_app.prompts.imports import ImportedFile, PromptFileError, prompts_import
from migration_app.prompts.module import module_stems

if TYPE_CHECKING:
    from migration_app.admin.prompts.prompts import PromptAdmin

EXPORT = "migration_app.export_prompts"
CHANGE = "migration_app.change_prompt"
_IMPORTED = "imported"
"""What the person's last import made: in the session, so that its page can be reloaded without importing again."""


def prompt_file_urls(admin: PromptAdmin) -> list[URLPattern]:
    """Addresses of the views here, below the list of prompts."""
    wrap = admin.admin_site.admin_view

    def zip_view(request: HttpRequest) -> HttpResponse:
        return _zip(admin, request)

    def import_view(request: HttpRequest) -> HttpResponse:
        return _import(admin, request)

    def hand_off_view(request: HttpRequest, pk: int) -> HttpResponse:
        return _hand_off(admin, request, pk)

    def download_view(request: HttpRequest, pk: int, number: int, kind: str) -> HttpResponse:
        return _download(admin, request, pk, number, kind)

    return [
        path("files/zip/", wrap(zip_view), name="migration_app_prompt_zip"),
        path("files/import/", wrap(import_view), name="migration_app_prompt_import"),
        path("<int:pk>/hand-off/", wrap(hand_off_view), name="migration_app_prompt_handoff"),
        path(
            "<int:pk>/files/<int:number>/<slug:kind>/",
            wrap(download_view),
            name="migration_app_prompt_download",
        ),
    ]


def zip_response(request: HttpRequest, prompts: QuerySet[Prompt]) -> HttpResponse | None:
    """The active versions of these prompts as a zip, audited one by one; None, with a message, if none is active."""
    export = prompts_export(prompts)
    if export.left_out:
        shown = ", ".join(export.left_out[:10]) + (" …" if len(export.left_out) > 10 else "")
        messages.warning(request, f"Skipped, because no version of them is active: {shown}.")
    if not export.files:
        messages.error(request, "No prompt has an active version, so there is nothing to export.")
        return None
    for slug in prompts.exclude(slug__in=export.left_out).order_by("slug").values_list("slug", flat=True):
        audit_record(actor=actor_of(request), verb="prompt.exported", subject_kind="prompt", subject_id=slug)
    return _file("prompts.zip", "application/zip", export_zip(export))


def _zip(admin: PromptAdmin, request: HttpRequest) -> HttpResponse:
    """POST: download every active prompt."""
    if not (request.user.has_perm(EXPORT) and admin.has_view_permission(request)):
        raise PermissionDenied
    made = zip_response(request, Prompt.objects.all()) if request.method == "POST" else None
    return made or HttpResponseRedirect(admin.list_url())


def _download(admin: PromptAdmin, request: HttpRequest, pk: int, number: int, kind: str) -> HttpResponse:
    """POST: download one version as JSON or as a module, whatever its state: to be edited and brought back."""
    prompt = admin.row_for(request, pk, EXPORT)
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:migration_app_prompt_handoff", args=[pk]))
    version = _version(prompt, number)
    if kind not in ("json", "py"):
        raise Http404("There is no such file.")
    audit_record(
        actor=actor_of(request),
        verb="prompt.exported",
        subject_kind="prompt",
        subject_id=prompt.slug,
        reason=f"version {version.number} as {kind}",
    )
    if kind == "json":
        return _file(f"{prompt.slug}.json", "application/json", prompt_document(version))
    stem = module_stems(Prompt.objects.values_list("slug", flat=True))[prompt.slug]
    return _file(f"{stem}.py", "text/x-python; charset=utf-8", prompt_module(version))


def _hand_off(admin: PromptAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show what can be downloaded and copied; the active version unless ?version=N."""
    prompt = admin.row_for(request, pk)
    asked = request.GET.get("version", "")
    if asked:
        version: PromptVersion | None = _version(
            prompt, int(asked) if asked.isdecimal() and len(asked) < 9 else 0
        )
    else:
        version = prompt.active_version or prompt.current_version
    text, ended = dashboard_text()
    return admin.page(
        request,
        "prompts/hand_off.html",
        title=f"Hand-off of {prompt.slug}",
        obj=prompt,
        prompt=prompt,
        version=version,
        badge=prompt_badge(version.state) if version else None,
        is_active=version is not None and version.state == PromptVersion.State.ACTIVE,
        blocks=_blocks(version) if version else [],
        may_export=request.user.has_perm(EXPORT),
        may_change=request.user.has_perm(CHANGE),
        dashboard_text=text,
        dashboard_ended=ended,
    )


def _blocks(version: PromptVersion) -> list[dict[str, Any]]:
    """What the dashboard's form asks for, each to be copied by itself."""
    spec = version.spec
    named = [("Instructions", spec.pop("instructions", "")), ("Model", spec.pop("model", ""))]
    tools = spec.pop("tools", [])
    blocks = [
        {"title": title, "text": clean_text(value) if isinstance(value, str) else pretty_json(value)}
        for title, value in named
    ]
    blocks.append({"title": "Tools", "text": pretty_json(tools) if tools else ""})
    for key in sorted(spec):
        value = spec[key]
        blocks.append(
            {"title": label(key), "text": clean_text(value) if isinstance(value, str) else pretty_json(value)}
        )
    return [{"id": f"block-{number}", **block} for number, block in enumerate(blocks) if block["text"]]


def _import(admin: PromptAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form, and what the last import made; POST: take edited files in, all or none."""
    if not (request.user.has_perm(CHANGE) and admin.has_view_permission(request)):
        raise PermissionDenied
    form = PromptFilesForm(request.POST, request.FILES) if request.method == "POST" else PromptFilesForm()
    if form.is_valid():
        try:
            imported = prompts_import(files=form.contents(), author=actor_of(request))
        except PromptFileError as refused:
            form.add_error("files", f"{refused} Nothing was imported.")
        else:
            request.session[_IMPORTED] = [dataclasses.asdict(each) for each in imported]
            return HttpResponseRedirect(f"{request.path}?{_IMPORTED}=1")
    shown = _IMPORTED in request.GET and not form.is_bound
    imported = [ImportedFile(**each) for each in request.session.get(_IMPORTED, [])] if shown else []
    slugs = [each.slug for each in imported]
    pks = dict(Prompt.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    return admin.page(
        request,
        "prompts/import.html",
        http_status=400 if form.errors else 200,
        title="Import edited prompts",
        form=form,
        imported=[(each, pks[each.slug]) for each in imported if each.slug in pks],
        made=sum(each.version is not None for each in imported),
        was_imported=bool(imported),
        back_url=back_of_address(request, admin.list_url()),
    )


def _version(prompt: Prompt, number: int) -> PromptVersion:
    version = prompt.versions.filter(number=number).first() if number < 2**31 else None
    if version is None:
        raise Http404("There is no such version.")
    version.prompt = prompt
    return version


def _file(name: str, kind: str, content: bytes) -> HttpResponse:
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
