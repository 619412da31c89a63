"""A prompt's review acts, the comparison of two versions, and the form of a new one.

Nothing that was typed gets lost: a form that is refused comes back as it was filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import prompt_badge
from migration_app.admin.base.model_admin import ReadOnlyAdmin
from migration_app.admin.prompts.form import (
    FormError,
    form_of_posted,
    form_of_spec,
    posted_fields,
    spec_of_form,
)
from migration_app.admin.prompts.pages import hidden_characters, versions_of
from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.diff import spec_diff
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.drift import assistant_today
from migration_app.prompts.review import (
    EDGES,
    PERMISSIONS,
    PromptReviewError,
    prompt_roll_back,
    version_activate,
    version_approve,
    version_reject,
    version_submit,
)
from migration_app.prompts.versions import version_create

ASSISTANT = "assistant"
"""In the place of a version's number: today's assistant, converted."""

_COMMENT = 2_000
_DONE = {
    "submit": "Version {} is in review now. Another person approves or rejects it.",
    "approve": "Version {} is approved. Activate it to put it in use.",
    "reject": "Version {} is rejected.",
    "activate": "Version {} is in use now.",
    "roll_back": "Version {} is in use again.",
}
_ACTS: Mapping[str, Callable[..., PromptVersion]] = {
    "submit": version_submit,
    "approve": version_approve,
    "reject": version_reject,
    "activate": version_activate,
    "roll_back": prompt_roll_back,
}


def act_view(request: HttpRequest, prompt: Prompt, number: int, act: str) -> HttpResponse:
    """POST: take a step of the review; back to the version's page, which says what comes next."""
    if act not in EDGES:
        raise Http404("There is no such act.")
    if not request.user.has_perm(PERMISSIONS[act]):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    version = _version(prompt, str(number))
    comment = request.POST.get("comment", "").replace("\x00", "").strip()[:_COMMENT]
    try:
        _ACTS[act](version_pk=version.pk, actor=actor_of(request), comment=comment)
    except PromptReviewError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _DONE[act].format(version.number))
    return HttpResponseRedirect(_url(prompt, number=version.number))


# --- comparison -----------------------------------------------------------------------------------


def compare_view(page: ReadOnlyAdmin[Prompt], request: HttpRequest, prompt: Prompt) -> HttpResponse:
    """GET ?from=1&to=2: two versions side by side; ``assistant`` is today's assistant, converted."""
    versions = list(versions_of(prompt))
    if not versions:
        raise Http404("This prompt has no version yet.")
    active = next((version for version in versions if version.state == PromptVersion.State.ACTIVE), None)
    newest = versions[0]
    to = request.GET.get("to") or str(newest.number)
    older = next((str(version.number) for version in versions if str(version.number) != to), to)
    other = str(active.number) if active and str(active.number) != to else older
    before = request.GET.get("from") or other
    left, right = _side(prompt, before), _side(prompt, to)
    if left is None or right is None:
        messages.error(request, "Nothing is stored of the assistant, so there is nothing to compare with.")
        return HttpResponseRedirect(_url(prompt))
    diff = spec_diff(left[1], right[1])
    added = "".join(
        piece.text for row in diff.instructions.rows for piece in row.right if piece.kind == "added"
    )
    choices = [
        (str(version.number), f"Version {version.number} ({version.get_state_display()})")
        for version in versions
    ]
    return page.page(
        request,
        "prompts/compare.html",
        title=f"{prompt.slug}: {left[0]} and {right[0]}",
        obj=prompt,
        prompt=prompt,
        diff=diff,
        left=left[0],
        right=right[0],
        chosen_from=before,
        chosen_to=to,
        choices=[*choices, (ASSISTANT, "Today's assistant, converted")],
        hidden_characters=hidden_characters(added),
        page_url=_url(prompt, number=int(to) if to != ASSISTANT else newest.number),
    )


def _side(prompt: Prompt, chosen: str) -> tuple[str, JsonObject] | None:
    if chosen == ASSISTANT:
        plan = assistant_today(prompt)
        return ("today's assistant", plan.spec) if plan else None
    version = _version(prompt, chosen)
    return f"version {version.number} ({version.get_state_display()})", version.spec


# --- a new version --------------------------------------------------------------------------------


def edit_view(page: ReadOnlyAdmin[Prompt], request: HttpRequest, prompt: Prompt) -> HttpResponse:
    """GET ?version=N: the form, filled with that version. POST: make a new version, or say what is wrong."""
    newest = versions_of(prompt).first()
    if newest is None:
        raise Http404("This prompt has no version yet.")
    if request.method != "POST":
        base = _version(prompt, request.GET.get("version") or str(newest.number))
        return _form(page, request, prompt, base=base, newest=newest, fields=form_of_spec(base.spec))
    base = _version(prompt, request.POST.get("base", ""))
    fields = form_of_posted(request.POST)
    note = posted_fields(request.POST, "note").strip()[:_COMMENT]
    again = partial(_form, page, request, prompt, base=base, newest=newest, fields=fields, note=note)
    errors: list[FormError] = []
    spec = spec_of_form(fields, base.spec, errors)
    if not note:
        errors.append(FormError("note", "Say in a few words what changed and why: reviewers read it."))
    if errors:
        return again(errors=errors)
    if request.POST.get("newest") != str(newest.number):
        return again(overtaken=newest)
    version = version_create(
        prompt=prompt, spec=spec, origin=PromptVersion.Origin.EDITED, author=actor_of(request), note=note
    )
    if version is None:
        unchanged = FormError("", f"This says the same as version {newest.number}: there is nothing to save.")
        return again(errors=[unchanged])
    messages.success(request, f"Version {version.number} was made. It is a draft: nothing uses it yet.")
    return HttpResponseRedirect(_url(prompt, number=version.number) + "&saved=1")


def _form(
    page: ReadOnlyAdmin[Prompt],
    request: HttpRequest,
    prompt: Prompt,
    *,
    base: PromptVersion,
    newest: PromptVersion,
    fields: Mapping[str, str],
    errors: list[FormError] | None = None,
    note: str = "",
    overtaken: PromptVersion | None = None,
) -> HttpResponse:
    by_field: dict[str, list[str]] = {}
    for error in errors or []:
        by_field.setdefault(error.field, []).append(error.text)
    response = page.page(
        request,
        "prompts/edit.html",
        title=f"Edit {prompt.slug}",
        obj=prompt,
        prompt=prompt,
        base=base,
        newest=newest,
        base_state=prompt_badge(base.state),
        fields=fields,
        errors=by_field,
        error_count=len(errors or []),
        note=note,
        overtaken=overtaken,
        page_url=_url(prompt, number=base.number),
    )
    response.status_code = 400 if errors or overtaken else 200
    return response


def _version(prompt: Prompt, number: str) -> PromptVersion:
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    version = prompt.versions.filter(number=int(number)).first() if is_number else None
    if version is None:
        raise Http404("There is no such version.")
    return version


def _url(prompt: Prompt, *, number: int | None = None) -> str:
    url: str = reverse("admin:migration_app_prompt_change", args=[prompt.pk])
    return f"{url}?version={number}" if number is not None else url
