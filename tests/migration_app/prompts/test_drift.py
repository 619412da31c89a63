from __future__ import annotations

import json

import pytest

from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, Prompt, SourceObject
from migration_app.prompts.assistants import assistant_convert_next, conversions_request
from migration_app.prompts.drift import (
    DriftError,
    assistant_other_dismiss,
    assistant_other_use,
    assistant_today,
    prompt_drift,
    prompts_with_drift,
)
from tests.factories import AssistantFactory, SourceObjectFactory

pytestmark = pytest.mark.django_db

ADA = Actor("ada")


def snapshot(state: str = "current", **changes: object) -> SourceObject:
    value = {"id": "asst_1", "object": "assistant", "name": "Desk", "model": "gpt-4o", **changes}
    made: SourceObject = SourceObjectFactory.create(
        kind="assistant", object_id="asst_1", raw=json.dumps(value).encode(), state=state
    )
    return made


def convert() -> None:
    pks = list(Assistant.objects.values_list("pk", flat=True))
    assert conversions_request(assistant_pks=pks, actor=ADA, reason="a test") == len(pks)
    while assistant_convert_next(actor=ADA):
        pass


@pytest.fixture
def prompt() -> Prompt:
    AssistantFactory.create(assistant_id="asst_1", name="Desk", source=snapshot(), status="snapshotted")
    convert()
    return Prompt.objects.get()


def drifts(prompt: Prompt) -> bool:
    """What the page says, which is what the list says."""
    fresh = Prompt.objects.select_related("assistant__source").get(pk=prompt.pk)
    listed = getattr(prompts_with_drift(Prompt.objects.filter(pk=prompt.pk)).get(), "drifts")  # noqa: B009 - annotated
    assert prompt_drift(fresh, fresh.current_version).is_any == listed
    return bool(listed)


def now_current(row: SourceObject) -> None:
    SourceObject.objects.filter(kind="assistant").exclude(pk=row.pk).update(state="superseded")
    SourceObject.objects.filter(pk=row.pk).update(state="current")
    Assistant.objects.update(source=row)


def test_a_prompt_of_an_unchanged_assistant_does_not_drift(prompt: Prompt) -> None:
    assert not drifts(prompt)


def test_a_newer_snapshot_is_drift_until_it_was_converted(prompt: Prompt) -> None:
    now_current(snapshot("superseded", model="gpt-4.1"))
    assert drifts(prompt)
    convert()
    assert not drifts(prompt)
    assert prompt.versions.count() == 2


def test_a_newer_snapshot_that_says_the_same_ends_as_unchanged_and_is_no_drift(prompt: Prompt) -> None:
    now_current(snapshot("superseded", created_at=1_700_000_000))
    assert drifts(prompt)
    convert()
    assistant = Assistant.objects.get()
    assert (assistant.outcome, assistant.outcome_text) == ("unchanged", "says the same as version 1")
    assert not drifts(prompt)
    assert prompt.versions.count() == 1


def test_other_content_is_drift_and_is_what_the_assistant_says_today(prompt: Prompt) -> None:
    snapshot("conflict", model="gpt-4.1")
    assert drifts(prompt)
    plan = assistant_today(prompt)
    assert plan is not None
    assert plan.spec["model"] == "gpt-4.1"


def test_other_content_is_used_on_request_and_nothing_is_lost(prompt: Prompt) -> None:
    other = snapshot("conflict", model="gpt-4.1", name="Desk 2")
    assistant_other_use(source_object_pk=other.pk, actor=ADA, reason="it is newer")
    assistant = Assistant.objects.get()
    assert (assistant.source, assistant.model, assistant.name) == (other, "gpt-4.1", "Desk 2")
    assert set(SourceObject.objects.values_list("state", flat=True)) == {"current", "superseded"}
    assert AuditEvent.objects.order_by("-id")[0].verb == "assistant.other_content_used"
    assert drifts(prompt)
    convert()
    assert not drifts(prompt)


def test_other_content_is_dismissed_on_request(prompt: Prompt) -> None:
    other = snapshot("conflict", model="gpt-4.1")
    assistant_other_dismiss(source_object_pk=other.pk, actor=ADA, reason="an old archive")
    assert not drifts(prompt)
    assert SourceObject.objects.count() == 2
    with pytest.raises(DriftError, match="decided about this content already"):
        assistant_other_use(source_object_pk=other.pk, actor=ADA, reason="too late")


def test_nothing_is_said_of_an_assistant_of_which_nothing_is_stored() -> None:
    prompt = Prompt.objects.create(slug="bare", assistant=AssistantFactory.create())
    assert assistant_today(prompt) is None
    assert not drifts(prompt)
