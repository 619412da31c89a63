"""A prompt's review acts, the comparison of two versions, and the form of a new one.

Nothing that was typed gets lost: a form that is refused comes back as it was filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import prompt_badge
from migration_app.admin.base.model_admin import ReadOnlyAdmin
from migration_app.admin.prompts.forms import CompareForm, EditForm, ReviewForm
from migration_app.admin.prompts.pages import hidden_characters, versions_of
from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.diff import spec_diff
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.drift import assistant_today
from migration_app.prompts.review import (
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


def take_step(request: HttpRequest, version: PromptVersion, act: str) -> ReviewForm | None:
    """Take a step of the review, with the comment that was posted. Returns the form if that was refused."""
    form = ReviewForm(request.POST)
    if form.is_valid():
        try:
            _ACTS[act](version_pk=version.pk, actor=actor_of(request), comment=form.cleaned_data["comment"])
        except PromptReviewError as error:
            form.add_error(None, str(error))
            messages.error(request, str(error))
    if form.errors:
        return form
    messages.success(request, _DONE[act].format(version.number))
    return None


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
        return HttpResponseRedirect(version_url(prompt))
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
        form=CompareForm(
            [*choices, (ASSISTANT, "Today's assistant, converted")], **{"from": before, "to": to}
        ),
        hidden_characters=hidden_characters(added),
        page_url=version_url(prompt, number=int(to) if to != ASSISTANT else newest.number),
    )


def _side(prompt: Prompt, chosen: str) -> tuple[str, JsonObject] | None:
    if chosen == ASSISTANT:
        plan = assistant_today(prompt)
        return ("today's assistant", plan.spec) if plan else None
    version = version_or_404(prompt, chosen)
    return f"version {version.number} ({version.get_state_display()})", version.spec


# --- a new version --------------------------------------------------------------------------------


def edit_view(page: ReadOnlyAdmin[Prompt], request: HttpRequest, prompt: Prompt) -> HttpResponse:
    """GET ?version=N: the form, filled with that version. POST: make a new version, or say what is wrong."""
    newest = versions_of(prompt).first()
    if newest is None:
        raise Http404("This prompt has no version yet.")
    if request.method != "POST":
        base = version_or_404(prompt, request.GET.get("version") or str(newest.number))
        return _edit_page(page, request, prompt, base=base, newest=newest, form=EditForm(base=base.spec))
    base = version_or_404(prompt, request.POST.get("base", ""))
    form = EditForm(request.POST, base=base.spec)
    again = partial(_edit_page, page, request, prompt, base=base, newest=newest, form=form)
    if not form.is_valid():
        return again()
    if request.POST.get("newest") != str(newest.number):
        return again(overtaken=newest)
    version = version_create(
        prompt=prompt,
        spec=form.spec,
        origin=PromptVersion.Origin.EDITED,
        author=actor_of(request),
        note=form.cleaned_data["note"],
    )
    if version is None:
        form.add_error(None, f"This says the same as version {newest.number}: there is nothing to save.")
        return again()
    messages.success(request, f"Version {version.number} was made. It is a draft: nothing uses it yet.")
    return HttpResponseRedirect(version_url(prompt, number=version.number))


def _edit_page(
    page: ReadOnlyAdmin[Prompt],
    request: HttpRequest,
    prompt: Prompt,
    *,
    base: PromptVersion,
    newest: PromptVersion,
    form: EditForm,
    overtaken: PromptVersion | None = None,
) -> HttpResponse:
    return page.page(
        request,
        "prompts/edit.html",
        http_status=400 if form.errors or overtaken else 200,
        title=f"Edit {prompt.slug}",
        obj=prompt,
        prompt=prompt,
        base=base,
        newest=newest,
        base_state=prompt_badge(base.state),
        form=form,
        overtaken=overtaken,
        page_url=version_url(prompt, number=base.number),
    )


def version_or_404(prompt: Prompt, number: str) -> PromptVersion:
    """The version of this number, as an address or a form gives it. Http404."""
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    version = prompt.versions.filter(number=int(number)).first() if is_number else None
    if version is None:
        raise Http404("There is no such version.")
    return version


def version_url(prompt: Prompt, *, number: int | None = None) -> str:
    """Address of a prompt's page, of one version of it."""
    url: str = reverse("admin:migration_app_prompt_change", args=[prompt.pk])
    return f"{url}?version={number}" if number is not None else url
