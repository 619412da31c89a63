from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from migration_app.models import Prompt
from migration_app.prompts.files import (
    Export,
    directory_state,
    directory_write,
    export_zip,
    prompt_document,
    prompts_export,
)
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

pytestmark = pytest.mark.django_db


def export_all(*, newest: bool = False) -> Export:
    return prompts_export(Prompt.objects.all(), newest=newest)


def test_the_active_version_is_exported_and_not_a_newer_draft() -> None:
    prompt = prompt_made()
    version_made(prompt)
    version_made(prompt, SPEC | {"instructions": "Draft."}, state="draft")
    export = export_all()
    assert sorted(export.files) == ["kitchen-desk.json", "kitchen_desk.py"]
    assert all(b"Be kind." in content and b"Draft." not in content for content in export.files.values())


def test_a_file_holds_the_version_whose_it_is_and_its_findings() -> None:
    finding = {"code": "c", "severity": "note", "place": "tools[0]", "text": "It is left out."}
    prompt = prompt_made(name="Kitchen")
    version = version_made(prompt, fidelity="lossy", findings=[finding | {"advice": "a", "source_id": "x"}])
    assert json.loads(prompt_document(version)) == {
        "assistant_id": "asst_kitchen-desk",
        "fidelity": "lossy",
        "findings": [finding],
        "name": "Kitchen",
        "sha256": version.sha256,
        "slug": "kitchen-desk",
        "spec": SPEC,
        "version": 1,
    }


def test_a_prompt_without_an_active_version_is_left_out_unless_asked_for() -> None:
    version_made(prompt_made("idle"), state="approved")
    prompt_made("empty")
    assert (export_all().files, export_all().left_out) == ({}, ("empty", "idle"))
    assert sorted(export_all(newest=True).files) == ["idle.json", "idle.py"]
    assert export_all(newest=True).left_out == ("empty",)


def test_the_zip_is_the_same_each_time() -> None:
    version_made(prompt_made())
    first, second = export_zip(export_all()), export_zip(export_all())
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as bundle:
        assert bundle.namelist() == ["prompts/kitchen-desk.json", "prompts/kitchen_desk.py"]


def test_a_directory_is_brought_up_to_date_and_strangers_files_stay(tmp_path: Path) -> None:
    version_made(prompt_made("old"))
    directory_write(export_all(), tmp_path, directory_state(export_all(), tmp_path))
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "old.json").write_text((tmp_path / "old.json").read_text().replace("brief", "short"))
    Prompt.objects.filter(slug="old").update(slug="new")
    standing = directory_state(export_all(), tmp_path)
    assert (standing.missing, standing.stale, standing.left_over) == (
        ("new.json", "new.py"),
        (),
        ("old.json", "old.py"),
    )
    directory_write(export_all(), tmp_path, standing)
    assert directory_state(export_all(), tmp_path).is_current
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "__init__.py",
        "new.json",
        "new.py",
        "settings.json",
    ]


def test_a_file_that_was_changed_is_stale(tmp_path: Path) -> None:
    version_made(prompt_made())
    directory_write(export_all(), tmp_path, directory_state(export_all(), tmp_path))
    with (tmp_path / "kitchen_desk.py").open("a") as file:
        file.write("\n")
    assert directory_state(export_all(), tmp_path).stale == ("kitchen_desk.py",)
