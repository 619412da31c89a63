from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.models import PromptVersion, Resource, TargetModel
from migration_app.prompts.needs import needs_fill, spec_needs, versions_that_count
from migration_app.readiness.checklist import models_in_use, readiness_of, resources_named
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

TOOLS = [
    {"type": "function", "name": "look_up"},
    {"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "inside"}]},
    {"type": "file_search", "vector_store_ids": ["vs_1", "vs_1", "vs_\x00"]},
    {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}},
    {"type": "code_interpreter", "container": "cntr_1"},
]


def model_made(name: str = "gpt-4o") -> TargetModel:
    now = timezone.now()
    return TargetModel.objects.create(model_id=name, first_seen_at=now, last_seen_at=now)


def test_what_a_spec_names_is_read_from_every_tool() -> None:
    needs = spec_needs({"model": "m", "tools": TOOLS})
    assert (needs.functions, needs.vector_stores, needs.files) == (
        ("look_up", "inside"),
        ("vs_1",),
        ("file-1",),
    )


@pytest.mark.parametrize(
    "spec", [{}, {"model": 5, "tools": {}}, {"model": "\x00", "tools": [None, {"type": []}]}]
)
def test_hostile_specs_name_nothing(spec: dict[str, object]) -> None:
    needs = spec_needs(spec)
    assert (needs.model, needs.functions, needs.vector_stores, needs.files) == ("", (), (), ())


@pytest.mark.django_db
def test_the_active_version_counts_and_without_one_the_newest() -> None:
    first, second = prompt_made("first"), prompt_made("second")
    active = version_made(first)
    version_made(first, SPEC | {"model": "draft"}, state="draft")
    version_made(second, state="rejected")
    newest = version_made(second, state="draft")
    assert set(versions_that_count()) == {active, newest}


@pytest.mark.django_db
def test_needs_are_read_once_and_up_to_a_number() -> None:
    for number in range(3):
        version_made(prompt_made(f"p{number}"))
    assert [needs_fill(most=2), needs_fill(), needs_fill()] == [1, 0, 0]
    assert PromptVersion.objects.filter(needs__model="gpt-4o").count() == 3


@pytest.mark.django_db
def test_a_prompt_whose_needs_are_there_is_ready() -> None:
    version = version_made(prompt_made(), SPEC | {"tools": TOOLS})
    needs_fill()
    model_made()
    for kind, name in (("vector_store", "vs_1"), ("file", "file-1")):
        Resource.objects.create(kind=kind, resource_id=name, status="alive", checked_at=timezone.now())
    assert readiness_of([version])[0].grade == "ready"


@pytest.mark.django_db
def test_a_prompt_with_an_expired_store_is_not_ready_and_an_unseen_file_is_told() -> None:
    version = version_made(prompt_made(), SPEC | {"tools": TOOLS})
    needs_fill()
    model_made()
    Resource.objects.create(
        kind="vector_store", resource_id="vs_1", status="expired", checked_at=timezone.now()
    )
    [ready] = readiness_of([version])
    assert [problem.code for problem in ready.problems] == ["vector_store_gone", "file_not_looked_at"]
    assert ready.grade == "error"
    assert "vs_1 (expired)" in ready.problems[0].text


@pytest.mark.django_db
def test_models_are_counted_worst_first() -> None:
    for slug, model in (("a", "gone"), ("b", "gpt-4o"), ("c", "gpt-4o")):
        version_made(prompt_made(slug), SPEC | {"model": model})
    needs_fill()
    model_made()
    uses = models_in_use()
    assert [(use.model, use.prompts, use.problem.code if use.problem else "") for use in uses] == [
        ("gone", 1, "model_unknown"),
        ("gpt-4o", 2, ""),
    ]


@pytest.mark.django_db
def test_resources_of_all_prompts_are_named_once() -> None:
    for slug in ("a", "b"):
        version_made(prompt_made(slug), SPEC | {"tools": TOOLS})
    needs_fill()
    assert [(each.kind, each.id) for each in resources_named()] == [
        ("vector_store", "vs_1"),
        ("file", "file-1"),
    ]
