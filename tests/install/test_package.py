"""The console as a package: built by pip, whole, and usable where only a server's requirements are installed."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from tests.install.conftest import SETTINGS, Run
from tests.install.pins import REQUIREMENTS, ROOT, asked_for

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_file_of_the_two_packages_and_their_templates_is_in_the_wheel(wheel: Path) -> None:
    installed_in = {"console": "console", "migration_app": "migration_app", "templates": "console/templates"}
    ours = {
        f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, place in installed_in.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_the_package_needs_what_is_asked_for_and_has_a_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(name), validate=False)
        commands = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
    always = {str(each) for each in metadata.requires_dist or () if not each.marker}
    assert always == {str(each) for each in asked_for("base")}
    assert "migration-console = console.__main__:main" in commands


@pytest.mark.parametrize("extra", ["server", "demo"])
def test_what_an_extra_asks_for_is_asked_for_in_the_requirements_too(extra: str) -> None:
    wanted = {Requirement(text) for text in PROJECT["project"]["optional-dependencies"][extra]}
    assert wanted <= set(asked_for("production" if extra == "server" else "development"))


def test_the_extra_of_a_server_makes_it_what_production_asks_for() -> None:
    extra = {Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["server"]}
    assert set(asked_for("base")) | extra == set(asked_for("production"))


def test_the_build_tool_is_the_one_that_is_tested() -> None:
    assert PROJECT["build-system"]["requires"] == ["setuptools==84.2.1"]
    assert "\nsetuptools==84.2.1 " in (REQUIREMENTS / "development.in").read_text()


def test_the_installed_command_checks_its_settings(run: Run) -> None:
    result = run("migration-console", "check", **SETTINGS)
    assert (result.returncode, result.stdout) == (0, "System check identified no issues (0 silenced).\n"), (
        result.stderr
    )


def test_the_installed_command_reads_the_env_file_of_its_folder(run: Run, tmp_path: Path) -> None:
    assert "SECRET_KEY" in run("migration-console", "check").stderr
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()))
    assert run("migration-console", "check").returncode == 0


def test_the_installed_package_brings_its_pages_styles_and_sample(run: Run) -> None:
    code = (
        "import django; django.setup()\n"
        "from django.contrib.staticfiles import finders\n"
        "from django.template.loader import get_template\n"
        "from console.sample import sample_path\n"
        "for each in (get_template('migration_app/threads/thread.html').origin.name,\n"
        "             get_template('admin/login.html').origin.name,\n"
        "             finders.find('migration_app/console.css'), sample_path()):\n"
        "    print(each)\n"
    )
    result = run("python", "-c", code, DJANGO_SETTINGS_MODULE="console.settings", **SETTINGS)
    assert result.stderr == ""
    places = [Path(line) for line in result.stdout.splitlines()]
    assert len(places) == 4
    for place in places:
        assert "site-packages" in place.parts
        assert ROOT not in place.parents
        assert place.is_file()


def test_the_commands_own_children_find_it_from_anywhere(run: Run) -> None:
    result = run("python", "-m", "console", "backfill", "--help", **SETTINGS)
    assert result.stdout.startswith("usage: python -m console backfill"), result.stderr


@pytest.mark.parametrize(("name", "option"), [("demo", "--help"), ("sandbox", "-h")])
def test_commands_for_development_show_their_help_on_a_server(run: Run, name: str, option: str) -> None:
    result = run("migration-console", name, option, **SETTINGS)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--port" in result.stdout


@pytest.mark.parametrize("text", [("help", "demo"), ("help",)])
def test_their_help_is_found_the_other_way_too(run: Run, text: tuple[str, ...]) -> None:
    result = run("migration-console", *text, **SETTINGS)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (["demo", "--once"], "psutil, starlette, uvicorn"),
        (["sandbox", "--faults", "hang"], "starlette, uvicorn"),
    ],
)
def test_commands_for_development_say_in_a_line_what_a_server_lacks(
    run: Run, text: list[str], missing: str
) -> None:
    result = run("migration-console", *text, **SETTINGS)
    assert result.returncode != 0
    assert result.stdout == ""
    (line,) = (line for line in result.stderr.splitlines() if "development.txt" in line)
    assert f"({missing})" in line
    assert "Traceback" not in result.stderr
