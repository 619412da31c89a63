"""Two people take a prompt from an assistant to active, and back, by what the pages say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, Prompt, PromptVersion
from migration_app.prompts.assistants import assistant_convert_next, conversions_request
from migration_app.prompts.review import version_activate, version_approve, version_submit
from migration_app.prompts.versions import version_create
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import assistant_made, object_made

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=\"document.title='broken in'\"></textarea>"
    "<script>document.title='broken in'</script>{{ 7 }}"
)
SCHEMA = {
    "type": "object",
    "properties": {
        "tide": {"type": "number", "description": f"Metres. {HOSTILE}"},
        "place": {"type": "string", "enum": ["harbour", "mill"]},
    },
    "required": ["tide", "place"],
    "additionalProperties": False,
}


def large_assistant(name: str = "Harbour Clerk") -> dict[str, Any]:
    """128 tools, a schema for answers, 256,000 characters of instructions, hostile strings in all of them."""
    lines = [
        f"Rule {number}: answer kindly, name the tide and the time. {HOSTILE}" for number in range(2_000)
    ]
    tools: list[dict[str, Any]] = [
        {
            "type": "function",
            "function": {
                "name": f"look_up_{number}",
                "description": f"Looks up {number}. {HOSTILE}",
                "parameters": SCHEMA,
            },
        }
        for number in range(126)
    ]
    tools += [{"type": "file_search"}, {"type": "code_interpreter"}]
    return {
        "id": "asst_clerk",
        "object": "assistant",
        "name": name,
        "model": "gpt-4o",
        "instructions": "\n".join(lines)[:256_000],
        "tools": tools,
        "tool_resources": {
            "file_search": {"vector_store_ids": ["vs_1"]},
            "code_interpreter": {"file_ids": ["file-1"]},
        },
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "tide", "schema": SCHEMA, "strict": True},
        },
        "metadata": {"team": HOSTILE},
        "temperature": 0.2,
    }


def stored(value: dict[str, Any]) -> Assistant:
    source = object_made(raw=json.dumps(value).encode(), kind="assistant", object_id=value["id"])
    assistant: Assistant = assistant_made(
        assistant_id=value["id"],
        name=value["name"],
        model=value["model"],
        source=source,
        status="snapshotted",
    )
    return assistant


def convert_all() -> None:
    """What a worker does."""
    while assistant_convert_next(actor=Actor("worker")):
        pass


def photograph(page: Page, name: str) -> None:
    """Keep a picture where a person has asked for one."""
    folder = os.environ.get("BROWSER_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_two_people_take_a_prompt_from_its_assistant_to_active_by_what_the_pages_say(
    open_as: OpenAs, console: LiveServer
) -> None:
    stored(large_assistant())
    ada = open_as("operator")
    ada.locator("#nav-sidebar a[href='/admin/migration_app/assistant/']").click()
    ada.locator("tr", has_text="Harbour Clerk").locator("input.action-select").check()
    ada.locator("select[name=action]").select_option("convert")
    ada.get_by_role("button", name="Run").click()
    photograph(ada, "01-confirm")
    ada.get_by_label("Reason").fill("cut-over of the harbour app")
    ada.get_by_role("button", name="Convert").click()
    expect(ada.get_by_text("on the way to a prompt").first).to_be_visible()
    photograph(ada, "02-on-the-way")
    convert_all()
    expect(ada.get_by_text("1 of 1 done").first).to_be_visible(timeout=15_000)
    photograph(ada, "03-converted")
    ada.get_by_role("link", name="harbour-clerk", exact=True).first.click()

    # The page says what to do; she corrects a word first.
    expect(ada.get_by_role("heading", name="Next: ask for a review")).to_be_visible()
    photograph(ada, "04-draft")
    ada.get_by_role("link", name="Edit").click()
    instructions = ada.get_by_label("The instructions for the model")
    before = instructions.input_value()
    # Typing one word: filling in a quarter of a million characters would take the browser too long.
    instructions.evaluate(
        """field => {
            const at = field.value.indexOf("kindly", field.value.indexOf("Rule 1000:"));
            field.setRangeText("very ", at, at, "end");
            field.dispatchEvent(new Event("input", { bubbles: true }));
        }"""
    )
    ada.get_by_role("textbox", name="Temperature").fill("warm")
    ada.get_by_role("button", name="Save as a new version").click()
    expect(ada.get_by_text("Your input is kept")).to_be_visible()
    expect(ada.get_by_text("This is no number")).to_be_visible()
    assert "very kindly" in ada.get_by_label("The instructions for the model").input_value()
    photograph(ada, "05-refused")
    ada.get_by_role("textbox", name="Temperature").fill("0.3")
    ada.get_by_label("What changed, and why").fill("kinder, a bit warmer")
    ada.get_by_role("button", name="Save as a new version").click()
    expect(ada.get_by_text("Version 2 was made")).to_be_visible()
    ada.get_by_role("button", name="Ask for a review").click()
    expect(ada.get_by_text("Version 2 is in review now")).to_be_visible()
    expect(ada.get_by_role("button", name="Approve")).to_have_count(0)
    expect(ada.locator("#refusal")).to_be_visible()
    photograph(ada, "06-waits-for-others")

    # The other finds it in the list, compares, approves and activates.
    bo = open_as("admin")
    bo.locator("#nav-sidebar a[href='/admin/migration_app/prompt/']").click()
    expect(bo.get_by_text("v2 in review")).to_be_visible()
    photograph(bo, "07-list")
    bo.get_by_role("link", name="harbour-clerk", exact=True).click()
    expect(bo.get_by_role("heading", name="Next: approve or reject")).to_be_visible()
    photograph(bo, "08-to-approve")
    bo.get_by_role("link", name="Compare versions").click()
    expect(bo.locator("#summary")).to_contain_text("instructions (−0 +5 characters), temperature")
    expect(bo.locator("#instructions ins")).to_have_text("very ")
    expect(bo.locator("#settings")).to_contain_text("0.3")
    photograph(bo, "09-compare")
    bo.get_by_role("link", name="Back to the prompt").click()
    bo.get_by_role("button", name="Approve").click()
    expect(bo.get_by_text("Version 2 is approved")).to_be_visible()
    bo.get_by_role("button", name="Activate").click()
    expect(bo.get_by_text("Version 2 is in use now")).to_be_visible()
    expect(bo.get_by_role("heading", name="In use")).to_be_visible()
    photograph(bo, "10-active")
    for page in (ada, bo):
        assert page.title() != "broken in"
    version = Prompt.objects.get().active_version
    assert version is not None
    assert (version.number, version.author_name, version.decided_by_name) == (2, "operator", "admin")
    assert version.spec["instructions"] == before.replace("1000: answer kindly", "1000: answer very kindly")
    assert len(version.spec["tools"]) == 128
    assert list(
        AuditEvent.objects.filter(subject_kind="prompt").order_by("id").values_list("verb", "actor")
    ) == [
        ("prompt.version_created", "operator"),
        ("prompt.version_created", "operator"),
        ("prompt.submitted", "operator"),
        ("prompt.approved", "admin"),
        ("prompt.activated", "admin"),
    ]


def reviewed(text: str) -> PromptVersion:
    """One more version in use, as two people made it."""
    prompt = Prompt.objects.get()
    version = version_create(
        prompt=prompt,
        spec={"model": "gpt-4o", "instructions": text},
        origin="edited",
        author=Actor("ada"),
        note="",
    )
    assert version is not None
    version_submit(version_pk=version.pk, actor=Actor("ada"))
    version_approve(version_pk=version.pk, actor=Actor("bo"))
    return version_activate(version_pk=version.pk, actor=Actor("bo"))


def prompt_url(console: LiveServer, tail: str = "change/") -> str:
    return f"{console.url}/admin/migration_app/prompt/{Prompt.objects.get().pk}/{tail}"


def test_a_version_that_does_harm_is_rolled_back_with_a_reason(open_as: OpenAs, console: LiveServer) -> None:
    Prompt.objects.create(slug="desk", assistant=assistant_made())
    reviewed("One.")
    reviewed("Two.")
    page = open_as("admin")
    page.goto(prompt_url(console))
    page.locator("#versions").get_by_role("link", name="v1").click()
    expect(page.get_by_role("heading", name="In use before")).to_be_visible()
    page.get_by_role("button", name="Roll back to this version").click()
    expect(page.locator("#comment:invalid")).to_be_focused()
    page.get_by_label("Comment").fill("answers in rhyme")
    page.get_by_role("button", name="Roll back to this version").click()
    expect(page.get_by_text("Version 1 is in use again")).to_be_visible()
    photograph(page, "11-rolled-back")
    assert Prompt.objects.get().active_version == PromptVersion.objects.get(number=1)


def test_a_rejected_version_says_why_to_whoever_wrote_it(open_as: OpenAs, console: LiveServer) -> None:
    stored(large_assistant("Desk"))
    conversions_request(assistant_pks=[Assistant.objects.get().pk], actor=Actor("operator"), reason="a test")
    convert_all()
    ada, bo = open_as("operator"), open_as("admin")
    ada.goto(prompt_url(console))
    ada.get_by_role("button", name="Ask for a review").click()
    bo.goto(prompt_url(console))
    bo.get_by_role("button", name="Reject").click()
    expect(bo.locator("#comment:invalid")).to_be_focused()
    bo.get_by_label("Comment").fill("the tone is wrong")
    bo.get_by_role("button", name="Reject").click()
    ada.reload()
    expect(ada.get_by_text("admin rejected it: “the tone is wrong”")).to_be_visible()
    photograph(ada, "12-rejected")


def test_what_was_typed_and_not_saved_comes_back(open_as: OpenAs, console: LiveServer) -> None:
    Prompt.objects.create(slug="desk", assistant=assistant_made())
    reviewed("One.")
    page = open_as("operator")
    page.goto(prompt_url(console, "edit/"))
    page.get_by_label("What changed, and why").fill("an hour's work")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(prompt_url(console))
    page.goto(prompt_url(console, "edit/"))
    expect(page.get_by_label("What changed, and why")).to_have_value("an hour's work")
    expect(page.get_by_text("was restored")).to_be_visible()
    page.get_by_role("button", name="Discard it").click()
    expect(page.get_by_label("What changed, and why")).to_have_value("")
