from __future__ import annotations

import pytest

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, PromptVersion
from migration_app.prompts.model_replace import (
    ReplacementRefusedError,
    model_replace,
    replacement_spec,
    versions_with_model,
)
from migration_app.prompts.needs import needs_fill
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

ADA = Actor("ada")


def replace(
    *versions: PromptVersion, old: str = "gpt-4o", new: str = "gpt-4.1", reason: str = "It ends."
) -> list[str]:
    pks = [version.pk for version in versions]
    made, left = model_replace(old=old, new=new, version_pks=pks, reason=reason, author=ADA)
    return [f"{version.prompt.slug} v{version.number}" for version in made] + left


def test_what_a_reasoning_model_refuses_is_left_out_with_a_finding() -> None:
    spec, findings, left_out = replacement_spec(SPEC | {"temperature": 0.2, "top_p": 1}, "o3")
    assert spec == SPEC | {"model": "o3"}
    assert [finding.code for finding in findings] == ["setting_refused_by_model", "sampling_default_left_out"]
    assert left_out == ("temperature", "top_p")


def test_an_effort_is_left_out_for_a_model_that_never_reasons() -> None:
    spec, findings, _left_out = replacement_spec({"model": "o3", "reasoning": {"effort": "low"}}, "gpt-4o")
    assert spec == {"model": "gpt-4o"}
    assert [finding.place for finding in findings] == ["reasoning.effort"]


@pytest.mark.django_db
def test_each_prompt_gets_a_draft_with_the_new_model() -> None:
    first, second = version_made(prompt_made("a")), version_made(prompt_made("b"), state="draft")
    needs_fill()
    assert replace(first, second) == ["a v2", "b v2"]
    made = PromptVersion.objects.get(prompt__slug="a", number=2)
    assert (made.spec["model"], made.state, made.origin, made.author_name) == (
        "gpt-4.1",
        "draft",
        "replaced",
        "ada",
    )
    assert made.note == "Model gpt-4o replaced by gpt-4.1 in version 1: It ends."
    assert AuditEvent.objects.filter(verb="readiness.model_replaced").count() == 1


@pytest.mark.django_db
def test_versions_of_another_model_or_no_longer_in_use_are_left() -> None:
    other = version_made(prompt_made("a"), SPEC | {"model": "gpt-5"})
    old = version_made(prompt_made("b"), state="retired")
    version_made(old.prompt, SPEC | {"model": "gpt-5"})
    needs_fill()
    assert list(versions_with_model("gpt-4o")) == []
    assert replace(other, old) == ["a", "b"]
    assert PromptVersion.objects.count() == 3


@pytest.mark.django_db
def test_doing_it_twice_makes_no_second_version() -> None:
    version = version_made(prompt_made("a"))
    needs_fill()
    assert [replace(version), replace(version)] == [["a v2"], ["a"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("new", "reason", "text"),
    [("gpt-4o", "x", "name this model already"), ("gpt-5", " ", "Say why"), (" ", "x", "Choose a model")],
)
def test_a_replacement_that_makes_no_sense_is_refused(new: str, reason: str, text: str) -> None:
    version = version_made(prompt_made("a"))
    needs_fill()
    with pytest.raises(ReplacementRefusedError, match=text):
        replace(version, new=new, reason=reason)
    assert PromptVersion.objects.count() == 1
