from __future__ import annotations

import hashlib

import pytest
from django.db import DatabaseError

from migration_app.contracts import Actor
from migration_app.conversion.prompts.specs import prompt_findings
from migration_app.models import AuditEvent, Prompt, PromptVersion
from migration_app.prompts.versions import version_create
from tests.factories import AssistantFactory

pytestmark = pytest.mark.django_db

ADA = Actor("ada", user_id=7)
SPEC: dict[str, object] = {"model": "gpt-4o", "instructions": "Grüße, {{name}}.\x00"}


@pytest.fixture
def prompt() -> Prompt:
    return Prompt.objects.create(slug="kitchen-desk", assistant=AssistantFactory.create())


def created(
    prompt: Prompt, spec: dict[str, object], origin: str = "edited", **more: str
) -> PromptVersion | None:
    return version_create(prompt=prompt, spec=spec, origin=origin, author=ADA, note="shorter", **more)  # type: ignore[arg-type] # keywords of several types


def test_a_version_keeps_author_note_hash_and_what_the_spec_says_of_itself(prompt: Prompt) -> None:
    version = created(prompt, SPEC)
    assert version is not None
    version.refresh_from_db()
    assert (version.number, version.author_name, version.note, version.state) == (
        1,
        "ada",
        "shorter",
        "draft",
    )
    assert version.spec == SPEC
    assert version.spec_json.isascii()
    assert version.sha256 == hashlib.sha256(version.spec_json.encode()).hexdigest()
    assert [finding["code"] for finding in version.findings] == ["prompt_variables"]
    event = AuditEvent.objects.get()
    assert (event.verb, event.before, event.after, event.reason) == (
        "prompt.version_created",
        "",
        "v1",
        "edited: shorter",
    )


def test_an_edit_that_changes_nothing_makes_no_version(prompt: Prompt) -> None:
    created(prompt, SPEC)
    assert created(prompt, dict(reversed(SPEC.items()))) is None
    assert (PromptVersion.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_converting_an_unchanged_assistant_does_not_undo_an_edit(prompt: Prompt) -> None:
    created(prompt, SPEC, "converted", source_sha256="a" * 64)
    created(prompt, SPEC | {"model": "gpt-4.1"})
    assert created(prompt, SPEC, "converted", source_sha256="a" * 64) is None


def test_a_conversion_with_other_findings_is_a_new_version(prompt: Prompt) -> None:
    created(prompt, SPEC, "converted")
    version = version_create(
        prompt=prompt, spec=SPEC, origin="converted", author=ADA, note="", findings=prompt_findings({})
    )
    assert version is not None
    assert (version.number, version.fidelity) == (2, "blocked")


def test_an_edit_remembers_which_snapshot_it_came_from(prompt: Prompt) -> None:
    created(prompt, SPEC, "converted", source_sha256="a" * 64)
    version = created(prompt, SPEC | {"model": "gpt-4.1"})
    assert version is not None
    assert version.source_sha256 == "a" * 64


def test_a_spec_that_json_has_no_word_for_is_refused(prompt: Prompt) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        created(prompt, {"model": "gpt-4o", "temperature": float("nan")})
    assert not PromptVersion.objects.exists()


def test_a_version_cannot_be_changed(prompt: Prompt) -> None:
    created(prompt, SPEC)
    with pytest.raises(DatabaseError, match="UPDATE refused"):
        PromptVersion.objects.update(spec_json="{}")
