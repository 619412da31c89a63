"""A subject beside the engine is a folder: it can be deleted, and the rest neither needs it nor notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROOMS = ("trials", "review")
FOLDERS = tuple(
    folder
    for room in ROOMS
    for folder in (f"migration_app/{room}", f"migration_app/admin/{room}", f"templates/migration_app/{room}")
)
FILES = ("migration_app/management/commands/try_prompt.py",)
LINES = {
    "migration_app/tasks/registry.py": (
        '"migration_app.trials.tasks.TRIAL_TASK",',
        '"migration_app.review.tasks.READING_TASK",',
    ),
    "console/unfold.py": (
        '_item("Try-outs", "experiment", "admin:migration_app_trial_changelist"),',
        '_item("Review", "rate_review", "review_queue", badge="review_badge"),',
    ),
    "console/urls.py": ('path("admin/review/", include("migration_app.admin.review.urls")),',),
}
EVERYTHING = """
import importlib, pkgutil
import django
django.setup()
import console.urls, migration_app
from migration_app.tasks.registry import task_kinds
for module in pkgutil.walk_packages(migration_app.__path__, "migration_app."):
    importlib.import_module(module.name)
print(",".join(task_kinds()))
"""


@pytest.fixture
def without_rooms(tmp_path: Path) -> Path:
    for name in ("bench", "console", "migration_app", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in FOLDERS:
        shutil.rmtree(tmp_path / name)
    for name in FILES:
        (tmp_path / name).unlink()
    for name, lines in LINES.items():
        text = (tmp_path / name).read_text()
        kept = [other for other in text.splitlines() if other.strip() not in lines]
        assert len(kept) == len(text.splitlines()) - len(lines)
        (tmp_path / name).write_text("\n".join(kept) + "\n")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "CONSOLE_ENV_FILE": "",
        "SECRET_KEY": "apart",
        "DATABASE_URL": "postgresql://localhost/apart",
        "REDIS_URL": "redis://localhost",
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_without_these_rooms_the_rest_passes_its_checks(without_rooms: Path) -> None:
    assert "no issues" in run(without_rooms, "manage.py", "check")
    kinds = run(without_rooms, "-c", EVERYTHING).strip().split(",")
    assert not {"trial", "reading"} & set(kinds)
    assert {"batch", "import"} <= set(kinds)


def test_without_these_rooms_the_imports_keep_their_contract(without_rooms: Path) -> None:
    tool = "import importlinter.cli, sys; sys.exit(importlinter.cli.lint_imports())"
    assert "0 broken" in run(without_rooms, "-c", tool)
