from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.prompts.review import (
    EDGES,
    PromptReviewError,
    decision_comment,
    prompt_roll_back,
    version_activate,
    version_approve,
    version_reject,
    version_submit,
)
from migration_app.prompts.versions import version_create
from tests.factories import AssistantFactory

pytestmark = pytest.mark.django_db

ADA, BO, CY = Actor("ada"), Actor("bo"), Actor("cy")


@pytest.fixture
def prompt() -> Prompt:
    return Prompt.objects.create(slug="kitchen-desk", assistant=AssistantFactory.create())


def version_of(prompt: Prompt, text: str = "Be brief.", author: Actor = ADA) -> PromptVersion:
    version = version_create(
        prompt=prompt,
        spec={"model": "gpt-4o", "instructions": text},
        origin="edited",
        author=author,
        note="",
    )
    assert version is not None
    return version


def activated(prompt: Prompt, text: str) -> PromptVersion:
    version = version_of(prompt, text)
    version_submit(version_pk=version.pk, actor=ADA)
    version_approve(version_pk=version.pk, actor=BO)
    return version_activate(version_pk=version.pk, actor=BO)


def last_event() -> tuple[str, str, str, str, str]:
    event = AuditEvent.objects.order_by("-id")[0]
    return event.actor, event.verb, event.before, event.after, event.reason


def test_a_version_goes_from_draft_over_review_and_approval_to_active(prompt: Prompt) -> None:
    version = version_of(prompt)
    version_submit(version_pk=version.pk, actor=ADA, comment="please")
    assert last_event() == ("ada", "prompt.submitted", "v1 draft", "v1 in review", "please")
    version_approve(version_pk=version.pk, actor=BO)
    assert last_event() == ("bo", "prompt.approved", "v1 in review", "v1 approved", "")
    version_activate(version_pk=version.pk, actor=CY)
    assert last_event() == ("cy", "prompt.activated", "none active", "v1 active", "")
    version.refresh_from_db()
    assert (version.submitted_by_name, version.decided_by_name, version.activated_by_name) == (
        "ada",
        "bo",
        "cy",
    )
    assert prompt.active_version == version


def test_activating_one_version_retires_the_one_before(prompt: Prompt) -> None:
    first, second = activated(prompt, "One."), activated(prompt, "Two.")
    first.refresh_from_db()
    assert (first.state, prompt.active_version) == ("retired", second)
    assert last_event()[2:4] == ("v1 active", "v2 active")


def test_a_roll_back_activates_an_earlier_version_again_and_says_from_where(prompt: Prompt) -> None:
    first, second = activated(prompt, "One."), activated(prompt, "Two.")
    prompt_roll_back(version_pk=first.pk, actor=CY, comment="it answers in rhyme")
    second.refresh_from_db()
    assert (prompt.active_version, second.state) == (first, "retired")
    assert last_event() == ("cy", "prompt.rolled_back", "v2 active", "v1 active", "it answers in rhyme")


@pytest.mark.parametrize("act", [version_approve, version_activate])
def test_nobody_approves_or_activates_what_they_wrote(
    prompt: Prompt, act: Callable[..., PromptVersion]
) -> None:
    version = version_of(prompt, author=BO)
    version_submit(version_pk=version.pk, actor=ADA)
    if act is version_activate:
        version_approve(version_pk=version.pk, actor=CY)
    with pytest.raises(PromptReviewError, match="You wrote version 1: another person"):
        act(version_pk=version.pk, actor=BO)


@pytest.mark.parametrize(
    ("writer", "approver"),
    [
        (Actor("bo", 7), Actor("bo renamed", 7)),
        (Actor("bo (command line)"), Actor("bo", 7)),
        (Actor("bo", 7), Actor("bo (command line)")),
    ],
)
def test_another_name_makes_nobody_a_second_person(prompt: Prompt, writer: Actor, approver: Actor) -> None:
    written = version_of(prompt, author=writer)
    version_submit(version_pk=written.pk, actor=Actor("cy", 9))
    submitted = version_of(prompt, "Be long.", author=Actor("cy", 9))
    version_submit(version_pk=submitted.pk, actor=writer)
    for version in (written, submitted):
        with pytest.raises(PromptReviewError, match="another person"):
            version_approve(version_pk=version.pk, actor=approver)


def test_another_user_of_the_same_name_is_a_second_person(prompt: Prompt) -> None:
    version = version_of(prompt, author=Actor("bo", 7))
    version_submit(version_pk=version.pk, actor=Actor("bo", 7))
    version = version_approve(version_pk=version.pk, actor=Actor("bo", 8))
    ids = (version.author_user_id, version.submitted_by_user_id, version.decided_by_user_id)
    assert (version.state, ids) == ("approved", (7, 7, 8))


@pytest.mark.parametrize("act", [version_approve, version_activate])
def test_nobody_approves_or_activates_what_they_submitted(
    prompt: Prompt, act: Callable[..., PromptVersion]
) -> None:
    version = version_of(prompt)
    version_submit(version_pk=version.pk, actor=BO)
    if act is version_activate:
        version_approve(version_pk=version.pk, actor=CY)
    with pytest.raises(PromptReviewError, match="You submitted version 1: another person"):
        act(version_pk=version.pk, actor=BO)


def test_one_person_may_do_it_all_where_that_is_configured(prompt: Prompt, settings: Settings) -> None:
    settings.PROMPT_APPROVAL_BY_OTHERS = False
    version = version_of(prompt)
    version_submit(version_pk=version.pk, actor=ADA)
    version_approve(version_pk=version.pk, actor=ADA)
    version_activate(version_pk=version.pk, actor=ADA)
    assert prompt.active_version == version


def test_a_rejection_says_why_and_is_the_end_of_the_version(prompt: Prompt) -> None:
    version = version_of(prompt)
    version_submit(version_pk=version.pk, actor=ADA)
    with pytest.raises(PromptReviewError, match="Say why"):
        version_reject(version_pk=version.pk, actor=BO, comment=" ")
    version_reject(version_pk=version.pk, actor=BO, comment="too long")
    version.refresh_from_db()
    assert (version.state, decision_comment(version)) == ("rejected", "too long")
    with pytest.raises(PromptReviewError, match="is rejected; only one that is draft"):
        version_submit(version_pk=version.pk, actor=ADA)


ACTS: dict[str, Callable[[int], PromptVersion]] = {
    "submit": lambda pk: version_submit(version_pk=pk, actor=CY),
    "approve": lambda pk: version_approve(version_pk=pk, actor=CY),
    "reject": lambda pk: version_reject(version_pk=pk, actor=CY, comment="no"),
    "activate": lambda pk: version_activate(version_pk=pk, actor=CY),
    "roll_back": lambda pk: prompt_roll_back(version_pk=pk, actor=CY, comment="back"),
}


@pytest.mark.parametrize("act", EDGES)
@pytest.mark.parametrize("state", PromptVersion.State.values)
def test_only_the_edges_of_the_table_are_taken(prompt: Prompt, act: str, state: str) -> None:
    version = version_of(prompt)
    PromptVersion.objects.filter(pk=version.pk).update(state=state)
    events = AuditEvent.objects.count()
    if EDGES[act][0] == state:
        assert ACTS[act](version.pk).state == EDGES[act][1]
        return
    with pytest.raises(PromptReviewError):
        ACTS[act](version.pk)
    version.refresh_from_db()
    assert (version.state, AuditEvent.objects.count()) == (state, events)


def test_a_version_that_is_gone_is_said(prompt: Prompt) -> None:
    with pytest.raises(PromptReviewError, match="no such version"):
        version_submit(version_pk=0, actor=ADA)


def test_a_roll_back_needs_a_reason(prompt: Prompt) -> None:
    first = activated(prompt, "One.")
    activated(prompt, "Two.")
    with pytest.raises(PromptReviewError, match="Say why"):
        prompt_roll_back(version_pk=first.pk, actor=CY, comment="")
