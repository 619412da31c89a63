from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from migration_app.models import Assistant, AuditEvent, Prompt, PromptVersion, Thread

pytestmark = pytest.mark.django_db
ASSISTANT: dict[str, Any] = {
    "id": "asst_1",
    "object": "assistant",
    "created_at": 1700000000,
    "name": "Ledger Helper",
    "model": "gpt-4o",
    "instructions": "You keep the books.\x00",
    "tools": [],
    "metadata": {},
}


def run(name: str, *args: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(name, *args, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def import_objects(tmp_path: Path, *objects: dict[str, Any]) -> None:
    path = tmp_path / "archive.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in objects))
    run("import_archive", str(path), reject_file=str(tmp_path / "rejects.jsonl"))


@pytest.fixture
def converted(tmp_path: Path) -> Prompt:
    import_objects(tmp_path, ASSISTANT)
    run("convert_assistants", all=True)
    return Prompt.objects.get()


def test_an_assistant_becomes_a_prompt_with_version_1(converted: Prompt) -> None:
    version = converted.current_version
    assert version is not None
    assert (converted.slug, version.number, version.spec["model"]) == ("ledger-helper", 1, "gpt-4o")
    assert "\x00" in version.spec["instructions"]
    assert Assistant.objects.get().status == "converted"
    assert AuditEvent.objects.filter(verb="prompt.version_created", subject_id="asst_1").exists()


def test_converting_again_makes_no_version_while_nothing_changed(converted: Prompt) -> None:
    run("convert_assistants", all=True)
    assert PromptVersion.objects.count() == 1
    assert AuditEvent.objects.filter(verb="prompt.unchanged").exists()


def test_two_assistants_of_one_name_get_two_slugs(tmp_path: Path) -> None:
    import_objects(tmp_path, ASSISTANT, ASSISTANT | {"id": "asst_2"})
    run("convert_assistants", all=True)
    assert sorted(Prompt.objects.values_list("slug", flat=True)) == ["ledger-helper", "ledger-helper-2"]


def test_an_assistant_without_a_name_is_called_by_its_id(tmp_path: Path) -> None:
    import_objects(tmp_path, ASSISTANT | {"name": None})
    run("convert_assistants", all=True)
    assert Prompt.objects.get().slug == "asst_1"


def test_an_assistant_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="asst_none"):
        run("convert_assistants", assistant=["asst_none"])


def test_prompts_are_exported_byte_for_byte_stable(converted: Prompt, tmp_path: Path) -> None:
    run("export_prompts", str(tmp_path / "a"), all_newest=True)
    run("export_prompts", str(tmp_path / "b"), all_newest=True)
    first = (tmp_path / "a" / "ledger-helper.json").read_bytes()
    assert first == (tmp_path / "b" / "ledger-helper.json").read_bytes()
    document = json.loads(first)
    assert (document["assistant_id"], document["version"], document["spec"]["model"]) == (
        "asst_1",
        1,
        "gpt-4o",
    )


def test_a_directory_that_cant_be_written_is_an_error(converted: Prompt, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="could not be written"):
        run("export_prompts", str(tmp_path / "file" / "prompts"))


def test_the_mapping_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    Thread.objects.create(thread_id="thread_1")
    target = tmp_path / "mapping.csv"
    run("export_mapping", output=str(target))
    assert [row["thread_id"] for row in csv.DictReader(target.open())] == ["thread_1"]
    assert [path.name for path in tmp_path.iterdir()] == ["mapping.csv"]
    assert AuditEvent.objects.filter(verb="mapping.exported").count() == 1


def test_the_mapping_can_be_narrowed_to_a_status(tmp_path: Path) -> None:
    Thread.objects.create(thread_id="thread_1")
    Thread.objects.create(thread_id="thread_2", status="verified")
    run("export_mapping", output=str(tmp_path / "m.csv"), status="verified")
    assert [row["thread_id"] for row in csv.DictReader((tmp_path / "m.csv").open())] == ["thread_2"]


def test_a_mapping_that_cant_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be written"):
        run("export_mapping", output=str(tmp_path / "none" / "m.csv"))


def test_the_mapping_goes_to_standard_output_without_a_file(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    Thread.objects.create(thread_id="thread_1")
    call_command("export_mapping")
    out = capfdbinary.readouterr().out
    assert out.startswith(b"thread_id,conversation_id,")
    assert b"\nthread_1," in out
