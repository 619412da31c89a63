from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.prompts.spec_fields import FIELDS
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.prompts.versions import version_create
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made, object_made

SPEC: dict[str, Any] = {
    "model": "gpt-4o",
    "instructions": f"Line one.\r\n\nLine \x00 two {HOSTILE} {{{{name}}}}.",
    "tools": [{"type": "function", "name": "tide", "parameters": {"type": "object"}, "strict": True}],
    "temperature": 0.5,
    "truncation": "auto",
}


LONE_SURROGATE = r'{"format": {"type": "json_schema", "name": "t", "schema": {"a": "\ud800"}}}'


@pytest.fixture
def prompt(db: None) -> Prompt:
    made = Prompt.objects.create(slug="kitchen-desk", assistant=assistant_made(assistant_id="asst_desk"))
    version_create(
        prompt=made, spec=SPEC, origin="converted", author=Actor("ada"), note="", source_sha256="a" * 64
    )
    return made


def url_of(prompt: Prompt, tail: str) -> str:
    return f"/admin/migration_app/prompt/{prompt.pk}/{tail}"


def act(client: Client, prompt: Prompt, name: str, number: int = 1, comment: str = "") -> int:
    return client.post(url_of(prompt, f"{number}/{name}/"), {"comment": comment}).status_code


def state_of(prompt: Prompt, number: int = 1) -> str:
    return str(prompt.versions.get(number=number).state)


def typed(text: str) -> str:
    """What a browser makes of a text: one kind of line end, no U+0000."""
    return text.replace("\r\n", "\n").replace("\x00", "\ufffd").replace("\n", "\r\n")


def form_of(client: Client, prompt: Prompt, **changes: str) -> dict[str, str]:
    """What a browser would send of the form as it was shown."""
    context = client.get(url_of(prompt, "edit/")).context
    fields = {name: typed(context["form"][name].value()) for name in FIELDS}
    sent = {"base": str(context["base"].number), "newest": str(context["newest"].number), "note": "shorter"}
    return {**fields, **sent, **changes}


def save(client: Client, prompt: Prompt, **changes: str) -> Any:
    return client.post(url_of(prompt, "edit/"), form_of(client, prompt, **changes))


def test_each_step_is_taken_by_who_may_take_it(log_in: LogIn, prompt: Prompt) -> None:
    viewer, operator, admin = log_in("viewer"), log_in("operator"), log_in("admin")
    assert act(viewer, prompt, "submit") == 403
    assert act(operator, prompt, "submit") == 302
    assert act(operator, prompt, "approve") == 403
    assert act(operator, prompt, "reject", comment="no") == 403
    assert act(admin, prompt, "approve") == 302
    assert act(operator, prompt, "activate") == 403
    assert act(admin, prompt, "activate") == 302
    assert state_of(prompt) == "active"
    assert act(operator, prompt, "roll_back", comment="back") == 403
    verbs = AuditEvent.objects.filter(subject_kind="prompt").order_by("id").values_list("verb", flat=True)
    assert list(verbs)[1:] == ["prompt.submitted", "prompt.approved", "prompt.activated"]


@pytest.mark.parametrize("tail", ["1/submit/", "edit/", "compare/"])
def test_strangers_see_and_do_nothing(log_in: LogIn, prompt: Prompt, tail: str) -> None:
    assert log_in("anonymous").post(url_of(prompt, tail)).status_code == 302
    assert log_in("newcomer").post(url_of(prompt, tail)).status_code == 403
    assert state_of(prompt) == "draft"


def test_opening_an_act_by_address_does_nothing(log_in: LogIn, prompt: Prompt) -> None:
    assert log_in("admin").get(url_of(prompt, "1/submit/")).status_code == 302
    assert state_of(prompt) == "draft"


def test_a_refused_step_says_why(log_in: LogIn, prompt: Prompt) -> None:
    response = log_in("admin").post(url_of(prompt, "1/approve/"), follow=True)
    assert "only one that is in review can be approved" in response.content.decode()


def test_what_does_not_exist_is_not_found(log_in: LogIn, prompt: Prompt) -> None:
    client = log_in("admin")
    for tail in ("9/submit/", "1/destroy/", "compare/?from=9", "compare/?to=x", "edit/?version=9"):
        method = client.post if tail.endswith("/") else client.get
        assert method(url_of(prompt, tail)).status_code == 404, tail
    assert client.get("/admin/migration_app/prompt/999999/compare/").status_code == 404


def test_one_who_wrote_it_has_no_button_to_approve_it(
    log_in: LogIn, prompt: Prompt, settings: Settings
) -> None:
    admin = log_in("admin")
    PromptVersion.objects.filter(prompt=prompt).update(state="in_review", submitted_by_name="admin")
    page = admin.get(url_of(prompt, "change/"))
    assert [allowed.name for allowed in page.context["step"].allowed] == ["reject"]
    settings.PROMPT_APPROVAL_BY_OTHERS = False
    page = admin.get(url_of(prompt, "change/"))
    assert [allowed.name for allowed in page.context["step"].allowed] == ["approve", "reject"]


def test_an_edit_makes_a_draft_and_leaves_untouched_fields_exactly_as_they_were(
    log_in: LogIn, prompt: Prompt
) -> None:
    assert save(log_in("operator"), prompt, temperature="0.7").status_code == 302
    version = prompt.versions.get(number=2)
    assert version.spec == SPEC | {"temperature": 0.7}
    assert (version.state, version.author_name, version.note, version.origin) == (
        "draft",
        "operator",
        "shorter",
        "edited",
    )
    assert version.source_sha256 == "a" * 64


@pytest.mark.parametrize(
    ("changes", "field", "shown"),
    [
        ({"temperature": "warm"}, "temperature", "This is no number"),
        ({"temperature": "5"}, "temperature", "from 0 to 2"),
        ({"model": " "}, "model", "must name its model"),
        ({"model": "o3"}, "temperature", "refuses it"),
        ({"tools": "[{"}, "tools", "This is no JSON"),
        ({"tools": "{}"}, "tools", "This must be a list"),
        ({"tools": '[{"type": "file_search"}]'}, "tools", "tools[0].vector_store_ids: it is missing."),
        ({"metadata": '{"a": "1", "a": "2"}'}, "metadata", "comes twice"),
        ({"metadata": '{"a": NaN}'}, "metadata", "NaN is no JSON value"),
        ({"metadata": "[" * 100_000}, "metadata", "nested too deeply"),
        ({"text": LONE_SURROGATE}, "text", "no request"),
        ({"others": '{"model": "m"}'}, "others", "field of its own"),
        ({"others": '{"input": "hi"}'}, "others", "belongs to each call"),
        ({"others": "3"}, "others", "This must be an object"),
        ({"note": " "}, "note", "Say briefly what changed"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    log_in: LogIn, prompt: Prompt, changes: dict[str, str], field: str, shown: str
) -> None:
    response = save(log_in("operator"), prompt, **({"instructions": "Typed for an hour."} | changes))
    assert response.status_code == 400
    form = response.context["form"]
    assert any(shown in text for text in form.errors[field]), form.errors
    assert form["instructions"].value() == "Typed for an hour."
    for name, typed in changes.items():
        assert form[name].value().strip() == typed.strip()
    assert prompt.versions.count() == 1


def test_settings_are_taken_away_by_emptying_their_field(log_in: LogIn, prompt: Prompt) -> None:
    save(log_in("operator"), prompt, temperature="", tools="", others="", max_output_tokens="900")
    assert prompt.versions.get(number=2).spec == {
        "model": "gpt-4o",
        "instructions": SPEC["instructions"],
        "max_output_tokens": 900,
    }


def test_an_edit_that_changes_nothing_is_said(log_in: LogIn, prompt: Prompt) -> None:
    response = save(log_in("operator"), prompt)
    assert "the same as version 1: there is nothing to save" in response.content.decode()
    assert prompt.versions.count() == 1


def test_who_was_overtaken_is_told_keeps_the_input_and_may_save_on_top(log_in: LogIn, prompt: Prompt) -> None:
    client = log_in("operator")
    form = form_of(client, prompt, instructions="Mine.")
    version_create(
        prompt=prompt, spec=SPEC | {"model": "gpt-4.1"}, origin="edited", author=Actor("bo"), note="newer"
    )
    response = client.post(url_of(prompt, "edit/"), form)
    assert response.status_code == 400
    assert b"made version 2" in response.content
    assert response.context["form"]["instructions"].value() == "Mine."
    assert prompt.versions.count() == 2
    assert client.post(url_of(prompt, "edit/"), form | {"newest": "2"}).status_code == 302
    assert prompt.versions.get(number=3).spec["instructions"] == "Mine."


def test_a_viewer_has_no_form(log_in: LogIn, prompt: Prompt) -> None:
    client = log_in("viewer")
    assert client.get(url_of(prompt, "edit/")).status_code == 403
    assert b"/edit/" not in client.get(url_of(prompt, "change/")).content


def test_two_versions_are_compared_with_the_one_in_use_on_the_left(log_in: LogIn, prompt: Prompt) -> None:
    PromptVersion.objects.filter(prompt=prompt, number=1).update(state="active")
    for model in ("gpt-4.1", "gpt-5.1"):
        version_create(
            prompt=prompt, spec=SPEC | {"model": model}, origin="edited", author=Actor("bo"), note=""
        )
    page = log_in("viewer").get(url_of(prompt, "compare/"))
    assert page.context["form"].initial == {"from": "1", "to": "3"}
    assert page.context["diff"].summary == "model"
    assert b"<script>alert(" not in page.content


def test_a_version_is_compared_with_todays_assistant(log_in: LogIn, prompt: Prompt) -> None:
    client = log_in("viewer")
    response = client.get(url_of(prompt, "compare/?from=1&to=assistant"), follow=True)
    assert "Nothing is stored of the assistant" in response.content.decode()
    raw = json.dumps(
        {"id": "asst_desk", "object": "assistant", "model": "gpt-4o", "temperature": 0.5}
    ).encode()
    object_made(raw=raw, kind="assistant", object_id="asst_desk", state="conflict")
    page = client.get(url_of(prompt, "compare/?from=1&to=assistant"))
    assert [tool.kind for tool in page.context["diff"].tools] == ["removed"]
    shown = client.get(url_of(prompt, "change/"))
    assert b"The assistant has changed" in shown.content
    listed = client.get(reverse("admin:migration_app_prompt_changelist"), {"waiting": "drift"})
    assert [row.slug for row in listed.context["cl"].result_list] == ["kitchen-desk"]


def test_the_need_of_a_comment_to_reject_is_said_and_held_by_the_browser_also_after_a_refusal(
    log_in: LogIn, prompt: Prompt
) -> None:
    act(log_in("operator"), prompt, "submit")
    admin = log_in("admin")
    refused = admin.post(url_of(prompt, "1/reject/"), {"comment": ""})
    for page in (admin.get(url_of(prompt, "change/")), refused):
        html = page.content.decode()
        field = re.search(r'<textarea[^>]*name="comment"[^>]*>', html)
        assert "Comment (needed to reject)" in html
        assert field is not None
        assert " required" in field[0]
        assert html.count("formnovalidate") == 1
    assert state_of(prompt) == "in_review"
