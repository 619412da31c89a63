from __future__ import annotations

import json

import pytest
from pytest_django import DjangoAssertNumQueries

from migration_app.contracts import Actor
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.models import Assistant, AuditEvent, Prompt, PromptVersion
from migration_app.prompts.assistants import assistant_convert_next, conversions_newest, conversions_request
from tests.factories import AssistantFactory, SourceObjectFactory

pytestmark = pytest.mark.django_db

ADA = Actor("ada")


def stored(number: int = 1, name: str = "Desk") -> Assistant:
    value = {"id": f"asst_{number}", "object": "assistant", "name": name, "model": "gpt-4o"}
    source = SourceObjectFactory.create(
        kind="assistant", object_id=value["id"], raw=json.dumps(value).encode()
    )
    made: Assistant = AssistantFactory.create(
        assistant_id=value["id"], name=name, source=source, status="snapshotted"
    )
    return made


def convert_all() -> None:
    while assistant_convert_next(actor=Actor("worker")):
        pass


def test_assistants_that_were_asked_for_together_are_followed_together() -> None:
    assistants = [stored(number) for number in range(3)] + [AssistantFactory.create()]
    asked = conversions_request(assistant_pks=[row.pk for row in assistants], actor=ADA, reason="a test")
    before = conversions_newest()
    assert before is not None
    assert (asked, before.total, before.waiting, before.percent) == (3, 3, 3, 0)
    assert AuditEvent.objects.filter(verb="assistant.queued", reason="a test").count() == 3
    convert_all()
    after = conversions_newest()
    assert after is not None
    assert (after.waiting, after.created, after.requested_by_name, after.percent) == (0, 3, "ada", 100)


def test_asking_twice_asks_once() -> None:
    assistant = stored()
    assert conversions_request(assistant_pks=[assistant.pk], actor=ADA, reason="one") == 1
    assert conversions_request(assistant_pks=[assistant.pk], actor=ADA, reason="two") == 0


def test_nothing_was_asked_for_at_first() -> None:
    assert conversions_newest() is None
    assert not assistant_convert_next(actor=ADA)


def test_an_assistant_that_cannot_be_converted_holds_up_no_other_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = stored(1), stored(2)
    whole = convert_assistant

    def fail(value: object) -> object:
        if isinstance(value, dict) and value["id"] == "asst_1":
            raise ValueError("private words")
        return whole(value)

    monkeypatch.setattr("migration_app.prompts.assistants.convert_assistant", fail)
    conversions_request(assistant_pks=[first.pk, second.pk], actor=ADA, reason="a test")
    convert_all()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.outcome, second.status) == ("failed", "failed", "converted")
    assert "ValueError" in first.outcome_text
    assert not AuditEvent.objects.filter(reason__contains="private").exists()
    monkeypatch.setattr("migration_app.prompts.assistants.convert_assistant", whole)
    conversions_request(assistant_pks=[first.pk], actor=ADA, reason="again")
    convert_all()
    first.refresh_from_db()
    assert (first.status, first.outcome, first.outcome_text) == ("converted", "created", "version 1")


def test_many_assistants_of_one_name_get_names_of_their_own() -> None:
    assistants = [stored(number) for number in range(12)]
    Prompt.objects.create(slug="desk-14", assistant=AssistantFactory.create())
    conversions_request(assistant_pks=[row.pk for row in assistants], actor=ADA, reason="a test")
    convert_all()
    slugs = set(Prompt.objects.values_list("slug", flat=True))
    assert len(slugs) == 13
    assert {"desk", "desk-14"} < slugs


def test_whoever_asked_is_the_author() -> None:
    conversions_request(assistant_pks=[stored().pk], actor=ADA, reason="a test")
    convert_all()
    assert PromptVersion.objects.get().author_name == "ada"


def test_thousands_are_asked_for_in_a_few_statements(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    assistants = [stored(number) for number in range(60)]
    with django_assert_max_num_queries(8):
        asked = conversions_request(assistant_pks=[row.pk for row in assistants], actor=ADA, reason="a test")
    assert asked == 60
