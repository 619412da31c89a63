from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from migration_app.admin.prompts.pages import steps_of
from migration_app.models import AuditEvent, Prompt, PromptVersion
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made

LIST = "/admin/migration_app/prompt/"
_DANGEROUS = {"reject", "roll_back"}
"""Steps that are confirmed by a comment."""


def prompt_made(slug: str = "kitchen-desk", instructions: str = "Be brief.") -> Prompt:
    prompt = Prompt.objects.create(slug=slug, assistant=assistant_made())
    for number, text in enumerate(["Old words.", instructions], start=1):
        PromptVersion.objects.create(
            prompt=prompt,
            number=number,
            spec_json=json.dumps({"instructions": text}),
            sha256=f"{number}" * 64,
            fidelity="exact",
            source_sha256="",
            author_name="ada",
            findings=[
                {
                    "code": "c",
                    "severity": "note",
                    "place": "",
                    "text": text,
                    "advice": "",
                    "source_kind": "assistant",
                }
            ],
        )
    return prompt


def url_of(prompt: Prompt, name: str = "change") -> str:
    return reverse(f"admin:migration_app_prompt_{name}", args=[prompt.pk])


def export_many(client: Client, *prompts: Prompt) -> Any:
    data = {"action": "export", "index": "0", "_selected_action": [str(prompt.pk) for prompt in prompts]}
    return client.post(LIST, data)


def test_the_page_shows_the_current_version_and_older_ones_on_request(log_in: LogIn) -> None:
    client, prompt = log_in("viewer"), prompt_made()
    assert "Be brief." in client.get(url_of(prompt)).context["spec"]
    assert "Old words." in client.get(url_of(prompt), {"version": "1"}).context["spec"]


@pytest.mark.parametrize(("role", "offered"), [("operator", True), ("viewer", False)])
def test_a_version_is_offered_to_be_tried_out_to_those_who_may(
    role: str, offered: bool, log_in: LogIn
) -> None:
    page = log_in(role).get(url_of(prompt_made())).content.decode()
    assert (f"{reverse('admin:migration_app_trial_start')}?a=kitchen-desk@2" in page) is offered


def test_one_prompt_is_exported_as_json_and_audited(log_in: LogIn) -> None:
    response = log_in("operator").post(url_of(prompt_made(), "export"))
    assert json.loads(response.content)["spec"] == {"instructions": "Be brief."}
    assert response["Content-Disposition"] == 'attachment; filename="kitchen-desk.json"'
    assert AuditEvent.objects.get().verb == "prompt.exported"


def test_opening_the_export_by_address_exports_nothing(log_in: LogIn) -> None:
    prompt = prompt_made()
    assert log_in("operator").get(url_of(prompt, "export"))["Location"] == url_of(prompt)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_others_may_not_export(role: str, status: int, log_in: LogIn) -> None:
    client, prompt = log_in(role), prompt_made()
    assert client.post(url_of(prompt, "export")).status_code == status
    assert export_many(client, prompt).status_code == status
    assert not AuditEvent.objects.exists()


def test_an_admin_notes_a_dashboard_prompt_id(log_in: LogIn) -> None:
    prompt = prompt_made()
    log_in("admin").post(url_of(prompt, "note"), {"dashboard_prompt_id": " pmpt_123 "})
    prompt.refresh_from_db()
    assert prompt.dashboard_prompt_id == "pmpt_123"
    assert AuditEvent.objects.get().verb == "prompt.dashboard_id_noted"


def test_something_that_is_no_dashboard_prompt_id_is_refused(log_in: LogIn) -> None:
    prompt = prompt_made()
    log_in("admin").post(url_of(prompt, "note"), {"dashboard_prompt_id": HOSTILE})
    prompt.refresh_from_db()
    assert (prompt.dashboard_prompt_id, AuditEvent.objects.count()) == ("", 0)


def test_a_viewer_may_not_change_a_prompt(log_in: LogIn) -> None:
    prompt = prompt_made()
    client = log_in("viewer")
    assert client.post(url_of(prompt, "note"), {"dashboard_prompt_id": "pmpt_1"}).status_code == 403
    assert b'name="dashboard_prompt_id"' not in client.get(url_of(prompt)).content


def test_hostile_instructions_are_escaped(log_in: LogIn) -> None:
    assert (
        "<script>alert("
        not in log_in("viewer").get(url_of(prompt_made(instructions=HOSTILE))).content.decode()
    )


def test_the_page_says_what_comes_next_and_who_can_do_it(log_in: LogIn) -> None:
    prompt = prompt_made()
    client = log_in("operator")
    step = client.get(url_of(prompt)).context["step"]
    assert (step.title, [act.name for act in step.allowed]) == ("Next: ask for a review", ["submit"])
    assert step.who.startswith("Nobody else can approve it then")
    log_in("admin")
    step = client.get(url_of(prompt)).context["step"]
    assert step.who == "You can't approve it yourself then. These people can: admin."


def test_a_viewer_is_told_that_a_step_needs_a_permission(log_in: LogIn) -> None:
    page = log_in("viewer").get(url_of(prompt_made()))
    assert b"This step needs a permission that you do not have." in page.content
    assert b"Nobody can do this now" in page.content
    assert b"formaction" not in page.content


def test_an_edited_version_shows_the_findings_of_its_conversion_too(log_in: LogIn) -> None:
    prompt = prompt_made()
    PromptVersion.objects.create(
        prompt=prompt,
        number=3,
        spec_json="{}",
        sha256="3" * 64,
        fidelity="exact",
        author_name="ada",
        origin="edited",
    )
    page = log_in("viewer").get(url_of(prompt))
    assert page.context["conversion"].number == 2
    assert len(page.context["conversion_findings"]) == 1
    grade = prompt.versions.get(number=2).fidelity
    assert [badge.text for badge in page.context["fidelities"]] == [
        f"conversion, v2: {grade}",
        "v3 adds no findings",
    ]


def test_the_list_shows_the_worse_grade_of_an_edit_and_its_conversion(log_in: LogIn) -> None:
    prompt = Prompt.objects.create(slug="desk", assistant=assistant_made())
    for number, (origin, fidelity) in enumerate([("converted", "lossy"), ("edited", "exact")], start=1):
        PromptVersion.objects.create(
            prompt=prompt,
            number=number,
            spec_json="{}",
            sha256=f"{number}" * 64,
            fidelity=fidelity,
            author_name="ada",
            origin=origin,
        )
    page = log_in("viewer").get("/admin/migration_app/prompt/").content.decode()
    assert 'mc-badge-warning">lossy' in page
    assert ">exact<" not in page


@pytest.mark.parametrize(("day", "text"), [(29, "in 1 day"), (30, "today"), (31, "have ended")])
def test_the_deadline_stands_beside_a_recorded_dashboard_id(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch, day: int, text: str
) -> None:
    today = dt.datetime(2026, 11, day if day < 31 else 30, tzinfo=dt.UTC) + dt.timedelta(days=day == 31)
    monkeypatch.setattr("migration_app.admin.prompts.pages.timezone.now", lambda: today)
    prompt = prompt_made()
    Prompt.objects.filter(pk=prompt.pk).update(dashboard_prompt_id="pmpt_1")
    response = log_in("viewer").get(url_of(prompt)).content.decode()
    assert text in response
    assert 'id="dashboard-deadline"' in response


def test_the_list_is_narrowed_by_what_prompts_wait_for(log_in: LogIn) -> None:
    first, second = prompt_made("one"), prompt_made("two")
    PromptVersion.objects.filter(prompt=second, number=2).update(state="in_review")
    PromptVersion.objects.filter(prompt=first, number=1).update(state="active")
    client = log_in("viewer")

    def shown(waiting: str) -> list[str]:
        page = client.get(LIST, {"waiting": waiting})
        return [prompt.slug for prompt in page.context["cl"].result_list]

    assert shown("review") == ["two"]
    PromptVersion.objects.filter(prompt=second).update(state="draft")
    PromptVersion.objects.filter(prompt=second, number=1).update(state="in_review")
    assert shown("review") == ["two"]
    PromptVersion.objects.filter(prompt=second).update(state="retired")
    assert shown("draft") == ["one"]
    assert shown("inactive") == ["two"]
    assert shown("activation") == []
    assert shown("drift") == []


def test_a_list_of_many_prompts_costs_no_query_a_row(
    log_in: LogIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        prompt_made(f"prompt-{number}")
    client = log_in("viewer")
    with django_assert_max_num_queries(12):
        assert client.get(LIST).status_code == 200


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("draft", "draft: here, in review: ahead, approved: ahead, active: ahead"),
        ("in_review", "draft: done, in review: here, approved: ahead, active: ahead"),
        ("approved", "draft: done, in review: done, approved: here, active: ahead"),
        ("active", "draft: done, in review: done, approved: done, active: here"),
        ("rejected", "draft: ahead, in review: done, rejected: here"),
        ("retired", "draft: done, in review: done, approved: done, active: done, retired: here"),
    ],
)
def test_the_way_of_a_version_shows_how_far_it_is(state: str, steps: str) -> None:
    found = steps_of(PromptVersion(state=state))
    assert ", ".join(f"{step['text'].lower()}: {step['look']}" for step in found) == steps


@pytest.mark.parametrize(
    ("state", "title", "acts", "text"),
    [
        ("in_review", "Next: approve or reject", ["approve", "reject"], "bo asked for a review."),
        ("approved", "Next: activate", ["activate"], "cy approved it."),
        ("active", "In use", [], "activated by dan."),
        ("rejected", "Rejected", [], "cy rejected it. Edit it"),
        ("retired", "In use before", ["roll_back"], "No version is in use now."),
    ],
)
def test_each_state_says_what_comes_next_and_who_made_it_so(
    state: str, title: str, acts: list[str], text: str, log_in: LogIn
) -> None:
    prompt = prompt_made()
    PromptVersion.objects.filter(number=2).update(
        state=state, submitted_by_name="bo", decided_by_name="cy", activated_by_name="dan"
    )
    page = log_in("admin").get(url_of(prompt), {"version": "2"})
    step = page.context["step"]
    assert (step.title, [act.name for act in step.allowed]) == (title, acts)
    assert text in step.text
    assert title in page.content.decode()
    assert [act.name for act in step.acts if act.is_danger] == [act for act in acts if act in _DANGEROUS]
    assert [act.name for act in step.acts if act.needs_comment] == [act for act in acts if act in _DANGEROUS]


def test_what_takes_the_place_of_which_version_is_said(log_in: LogIn) -> None:
    prompt, client = prompt_made(), log_in("admin")

    def step(state: str) -> Any:
        PromptVersion.objects.filter(number=2).update(state=state)
        return client.get(url_of(prompt), {"version": "2"}).context["step"]

    assert step("approved").text.endswith("It will be the first one in use.")
    PromptVersion.objects.filter(number=1).update(state="active")
    assert step("approved").text.endswith("It takes the place of version 1.")
    assert step("retired").text.startswith("Version 1 is in use now.")
