"""A prompt on its way out, and to another model, in a real browser."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from migration_app.models import PromptVersion, TargetModel
from tests.browser.conftest import OpenAs
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

pytestmark = pytest.mark.browser


def test_an_operator_copies_the_instructions_line_by_line_as_they_are(open_as: OpenAs) -> None:
    text = '\nFirst "line" & <b>bold</b>\n  indented {{name}}'
    version_made(prompt_made(), SPEC | {"instructions": text, "tools": [{"type": "custom", "name": "x"}]})
    page = open_as("operator")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Prompts").click()
    page.get_by_role("link", name="kitchen-desk", exact=True).click()
    page.get_by_role("link", name="Hand off").click()
    page.wait_for_load_state()  # the button copies once its deferred script has run
    page.get_by_role("button", name="Copy Instructions").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == text
    with page.expect_download() as download:
        page.get_by_role("button", name="Python module").click()
    assert download.value.suggested_filename == "kitchen_desk.py"


def test_an_operator_moves_prompts_to_another_model(open_as: OpenAs) -> None:
    now = timezone.now()
    for name, days in (("gpt-4o", 30), ("o3", None)):
        end = (now + dt.timedelta(days=days)).date() if days else None
        TargetModel.objects.create(model_id=name, shutdown_on=end, first_seen_at=now, last_seen_at=now)
    for slug in ("front-desk", "kitchen-desk"):
        version_made(prompt_made(slug), SPEC | {"temperature": 0.2})
    page = open_as("operator")
    page.get_by_role("link", name="Readiness").click()
    page.get_by_role("link", name="Replace").click()
    page.get_by_label("New model").fill("o3")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("checkbox", name="front-desk").uncheck()
    page.get_by_label("Reason").fill("It shuts down.")
    page.get_by_role("button", name="Make the drafts").click()
    expect(page.get_by_text("1 draft was made")).to_be_visible()
    made = PromptVersion.objects.get(number=2)
    assert (made.prompt.slug, made.spec) == ("kitchen-desk", SPEC | {"model": "o3"})
