from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from migration_app.models import PromptVersion
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db


def run(*args: str, **options: Any) -> list[str]:
    out = io.StringIO()
    call_command("readiness", *args, stdout=out, **options)
    return out.getvalue().splitlines()


def test_prompts_that_are_ready_are_told_and_the_command_ends_well(sandbox: RunningSandbox) -> None:
    version_made(prompt_made())
    assert run(refresh=True) == ["ready    kitchen-desk v1 (active)  gpt-4o"]


def test_a_prompt_that_could_not_be_used_ends_the_command_with_an_error(sandbox: RunningSandbox) -> None:
    version_made(prompt_made(), SPEC | {"model": "gpt-gone"})
    with pytest.raises(CommandError, match="1 prompt could not be used today"):
        run(refresh=True)


def test_a_target_that_cant_be_asked_is_an_error_in_words(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(CommandError, match="OPENAI_API_KEY is not set"):
        run(refresh=True)


def test_functions_are_printed_with_their_calls(sandbox: RunningSandbox) -> None:
    tool: dict[str, Any] = {"type": "function", "name": "look_up", "parameters": {}, "strict": None}
    version_made(prompt_made(), SPEC | {"tools": [tool]})
    assert run(functions=True) == ["function,prompts,assistants,calls,threads", "look_up,1,,,"]
    assert run(functions=True, count_calls=True)[1] == "look_up,1,0,0,0"


def test_a_model_is_replaced_everywhere() -> None:
    version_made(prompt_made("a"))
    version_made(prompt_made("b"), SPEC | {"model": "o3"})
    assert run("--replace", "gpt-4o", "gpt-4.1", "--reason", "It ends.") == ["a v2 (draft)"]
    assert PromptVersion.objects.get(number=2).spec["model"] == "gpt-4.1"


def test_a_model_that_nobody_names_is_an_error() -> None:
    with pytest.raises(CommandError, match="No prompt names the model gpt-4o"):
        run("--replace", "gpt-4o", "gpt-4.1", "--reason", "x")
