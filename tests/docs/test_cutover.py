"""What docs/cutover.md says can be done as it stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection

from migration_app.threads.mapping import mapping_columns
from tests.factories import ConversationFactory, ThreadFactory

TEXT = (Path(__file__).parents[2] / "docs" / "cutover.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_every_piece_of_code_is_python(code: str) -> None:
    ast.parse(code)


def test_code_for_the_api_that_was_shut_down_is_marked_as_such() -> None:
    for code in blocks("python"):
        assert ("beta.threads" in code) == ("Shut down on 2026-08-26" in code)


@pytest.mark.parametrize("line", sorted(set(re.findall(r"manage\.py [^`\n#]+", TEXT))))
def test_every_command_takes_the_options_it_is_shown_with(line: str) -> None:
    name, *text = line.removeprefix("manage.py ").split()
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    known = {option for action in parser._actions for option in action.option_strings}
    assert {word for word in text if word.startswith("-")} <= known


def test_what_waits_in_the_example_brings_its_workers_along() -> None:
    """Else it is refused where no worker runs: whoever tries the example has none."""
    waiting = [line for block in blocks("sh") for line in block.splitlines() if "--wait" in line]
    assert waiting
    assert [line for line in waiting if not re.search(r"--workers [1-9]", line)] == []


@pytest.mark.django_db
def test_the_look_up_in_the_consoles_database_finds_verified_threads_only() -> None:
    grants, look_up = blocks("sql")
    with connection.cursor() as cursor:
        for grant in re.findall(r"GRANT .*?;", grants):
            cursor.execute(grant.replace("chat_lookup", "CURRENT_USER"))
        cursor.execute(look_up)
        assert cursor.fetchall() == []
        thread = ThreadFactory.create(thread_id="thread_1", status="verified", fidelity="exact")
        conversation = ConversationFactory.create(
            thread=thread, conversation_id="conv_1", state="verified", verified_at=thread.created_at
        )
        cursor.execute(look_up)
        assert cursor.fetchall() == [("conv_1", "exact", "")]
        granted = set(re.findall(r"\w+", " ".join(re.findall(r"\((.*?)\)", grants))))
        assert set(re.findall(r"[ct]\.(\w+)", look_up)) <= granted
    assert conversation.conversation_id == "conv_1"


def test_the_columns_it_speaks_of_are_columns_of_the_mapping() -> None:
    assert {"fidelity", "resources", "status", "conversation_id"} <= set(mapping_columns())
