from __future__ import annotations

import csv
import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from migration_app.models import PromptVersion, ReadinessCheck, TargetModel
from migration_app.prompts.needs import needs_fill
from migration_app.readiness.target_models import today
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

PAGE = "/admin/migration_app/targetmodel/"
REPLACE = reverse("admin:migration_app_readiness_replace")
FUNCTIONS = reverse("admin:migration_app_readiness_functions")


def look_url(kind: str) -> str:
    return reverse("admin:migration_app_readiness_check", args=[kind])


def model_made(name: str = "gpt-4o", **fields: Any) -> TargetModel:
    now = timezone.now()
    return TargetModel.objects.create(model_id=name, first_seen_at=now, last_seen_at=now, **fields)


def replace(client: Client, *versions: PromptVersion, to: str = "o3", reason: str = "It ends.") -> Any:
    data = {"to": to, "reason": reason, "version": [str(version.pk) for version in versions]}
    return client.post(f"{REPLACE}?model=gpt-4o", data)


def test_the_page_opens_before_anything_is_known(log_in: LogIn) -> None:
    response = log_in("viewer").get(PAGE)
    assert response.status_code == 200
    assert b"vector stores and files are unknown" in response.content


def test_a_prompt_whose_model_is_near_its_end_stands_on_the_page(log_in: LogIn) -> None:
    version_made(prompt_made("fine"), SPEC | {"model": "gpt-5"})
    version_made(prompt_made("late"))
    model_made(shutdown_on=today() + dt.timedelta(days=30))
    model_made("gpt-5")
    response = log_in("viewer").get(PAGE)
    assert [row["ready"].version.prompt.slug for row in response.context["prompts"]] == ["late"]
    assert [use["use"].model for use in response.context["models"]] == ["gpt-4o", "gpt-5"]
    assert b"in 30 days" in response.content


def test_hostile_names_are_escaped(log_in: LogIn) -> None:
    tool: dict[str, Any] = {"type": "function", "name": HOSTILE, "parameters": {}, "strict": None}
    version_made(prompt_made(), {"model": HOSTILE, "tools": [tool]})
    client = log_in("operator")
    page = client.get(PAGE)
    assert page.context["models"][0]["use"].model == HOSTILE
    replaced = client.get(REPLACE, {"model": HOSTILE, "to": HOSTILE})
    assert b"<script>alert" not in page.content + replaced.content


def test_asking_the_target_writes_down_the_wish_and_calls_nothing(log_in: LogIn) -> None:
    assert log_in("operator").post(look_url("target")).status_code == 302
    row = ReadinessCheck.objects.get()
    assert (row.kind, row.state, row.created_by_name) == ("target", "queued", "operator")


def test_a_preview_tells_what_the_new_model_refuses_and_changes_nothing(log_in: LogIn) -> None:
    version_made(prompt_made(), SPEC | {"temperature": 0.2})
    needs_fill()
    response = log_in("operator").get(REPLACE, {"model": "gpt-4o", "to": "o3"})
    assert [item["each"].left_out for item in response.context["replacements"]] == [("temperature",)]
    assert PromptVersion.objects.count() == 1


def test_a_model_is_replaced_in_the_prompts_that_were_chosen(log_in: LogIn) -> None:
    chosen, other = version_made(prompt_made("a")), version_made(prompt_made("b"))
    needs_fill()
    assert replace(log_in("operator"), chosen).status_code == 302
    made = PromptVersion.objects.get(number=2)
    assert (made.prompt.slug, made.spec["model"], made.state) == ("a", "o3", "draft")
    assert not PromptVersion.objects.filter(prompt=other.prompt, number=2).exists()


@pytest.mark.parametrize(
    ("to", "reason", "text"),
    [("o3", " ", b"Say why"), ("gpt-4o", "x", b"choose another"), ("", "x", b"Choose a model")],
)
def test_a_replacement_that_makes_no_sense_is_refused_on_the_page(
    to: str, reason: str, text: bytes, log_in: LogIn
) -> None:
    version = version_made(prompt_made())
    needs_fill()
    assert text in replace(log_in("operator"), version, to=to, reason=reason).content
    assert PromptVersion.objects.count() == 1


def test_a_replacement_of_nothing_is_refused(log_in: LogIn) -> None:
    assert b"Choose at least one prompt" in replace(log_in("operator")).content


def test_functions_are_downloaded_and_formulas_are_no_formulas(log_in: LogIn) -> None:
    tools = [{"type": "function", "name": name} for name in ("look_up", "=cmd()")]
    version_made(prompt_made(), SPEC | {"tools": tools})
    needs_fill()
    response: Any = log_in("viewer").post(FUNCTIONS)
    text = b"".join(response.streaming_content).decode()
    assert list(csv.reader(text.splitlines())) == [
        ["function", "prompts", "assistants", "calls", "threads"],
        ["'=cmd()", "1", "", "", ""],
        ["look_up", "1", "", "", ""],
    ]


@pytest.mark.parametrize(("role", "status"), [("newcomer", 403), ("anonymous", 302)])
def test_others_see_nothing(role: str, status: int, log_in: LogIn) -> None:
    client = log_in(role)
    answers = [client.get(PAGE), client.post(FUNCTIONS), client.get(REPLACE), client.post(look_url("calls"))]
    assert [answer.status_code for answer in answers] == [status] * 4


def test_a_viewer_may_neither_ask_nor_replace(log_in: LogIn) -> None:
    version = version_made(prompt_made())
    needs_fill()
    client = log_in("viewer")
    answers = [client.post(look_url("target")), client.get(REPLACE), replace(client, version)]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert not ReadinessCheck.objects.exists()


def test_a_check_of_an_unknown_kind_is_a_404_and_asking_by_address_does_nothing(log_in: LogIn) -> None:
    client = log_in("operator")
    assert client.post(look_url("nothing")).status_code == 404
    assert client.get(look_url("target")).status_code == 302
    assert not ReadinessCheck.objects.exists()
