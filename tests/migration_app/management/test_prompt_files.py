from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from migration_app.models import AuditEvent, PromptVersion
from tests.migration_app.prompts.prompt_rows import prompt_made, version_made

pytestmark = pytest.mark.django_db


def run(name: str, *args: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *map(str, args), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_an_export_is_current_and_a_check_of_it_writes_nothing(tmp_path: Path) -> None:
    version_made(prompt_made())
    run("export_prompts", tmp_path)
    events = AuditEvent.objects.count()
    assert run("export_prompts", tmp_path, check=True) == ("", "")
    assert AuditEvent.objects.count() == events
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kitchen-desk.json", "kitchen_desk.py"]


def test_a_check_names_what_is_missing_stale_and_left_over(tmp_path: Path) -> None:
    prompt = prompt_made()
    version_made(prompt)
    run("export_prompts", tmp_path)
    prompt.slug = "front-desk"
    prompt.save()
    version_made(prompt_made("other"))
    (tmp_path / "other.json").write_text("{}")
    out = io.StringIO()
    with pytest.raises(CommandError, match="not up to date"):
        call_command("export_prompts", str(tmp_path), "--check", stdout=out)
    assert out.getvalue().splitlines() == [
        "missing: front-desk.json",
        "missing: front_desk.py",
        "missing: other.py",
        "stale: other.json",
        "left over: kitchen-desk.json",
        "left over: kitchen_desk.py",
    ]


def test_one_format_leaves_the_other_alone(tmp_path: Path) -> None:
    version_made(prompt_made())
    run("export_prompts", tmp_path)
    (tmp_path / "kitchen_desk.py").write_text("x = 1\n")
    run("export_prompts", tmp_path, format="json")
    assert (tmp_path / "kitchen_desk.py").read_text() == "x = 1\n"


def test_a_prompt_without_an_active_version_is_told_on_stderr(tmp_path: Path) -> None:
    version_made(prompt_made(), state="draft")
    assert "kitchen-desk: no version is active" in run("export_prompts", tmp_path)[1]
    assert list(tmp_path.iterdir()) == []
    run("export_prompts", tmp_path, all_newest=True)
    assert (tmp_path / "kitchen-desk.json").exists()


def test_an_empty_database_removes_no_files(tmp_path: Path) -> None:
    version = version_made(prompt_made())
    run("export_prompts", tmp_path)
    PromptVersion.objects.filter(pk=version.pk).update(state="retired")
    with pytest.raises(CommandError, match="nothing removed"):
        run("export_prompts", tmp_path)
    assert (tmp_path / "kitchen-desk.json").exists()


def test_an_edited_directory_is_imported(tmp_path: Path) -> None:
    version_made(prompt_made())
    run("export_prompts", tmp_path)
    (tmp_path / "__init__.py").write_text("")
    path = tmp_path / "kitchen_desk.py"
    path.write_text(path.read_text().replace("brief", "short"))
    out, _err = run("import_prompts", tmp_path)
    assert out.splitlines() == ["kitchen-desk.json: unchanged", "kitchen_desk.py: kitchen-desk v2 (draft)"]
    assert PromptVersion.objects.get(number=2).spec["instructions"] == "Be short.\nBe kind."


def test_a_file_that_cant_be_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"slug": "a", "spec": {}}))
    with pytest.raises(CommandError, match=r"a\.json: slug: there is no prompt a\. Nothing was imported"):
        run("import_prompts", tmp_path / "a.json")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be read"):
        run("import_prompts", tmp_path / "none.json")
