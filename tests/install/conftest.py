"""The console as a server gets it: built into a wheel, and installed beside requirements/production.txt and no more."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests.install.pins import REQUIREMENTS, ROOT, compiled

Run = Callable[..., subprocess.CompletedProcess[str]]
SETTINGS = {
    "SECRET_KEY": "k" * 50,
    "ALLOWED_HOSTS": "console.example.org",
    "DATABASE_URL": "postgresql://u:p@localhost/x",
    "REDIS_URL": "redis://localhost:6379/0",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip wheel .` makes, in a copy: it leaves folders of its own beside the sources."""
    sources = tmp_path_factory.mktemp("sources of a wheel")
    for name in ("console", "migration_app", "requirements", "templates"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "manage.py"):
        shutil.copy(ROOT / name, sources)
    subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip",
                "--quiet",
                "wheel",
                "--no-deps",
                "--no-index",
                "--no-build-isolation",
            ),
            *("--wheel-dir", "built", "."),
        ],
        cwd=sources,
        check=True,
    )
    (found,) = (sources / "built").glob("*.whl")
    return found


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for sys.path with the packages of requirements/production.txt."""
    folder = tmp_path_factory.mktemp("production")
    for pin in compiled((REQUIREMENTS / "production.txt").read_text()):
        if pin.requirement.marker is None or Marker(str(pin.requirement.marker)).evaluate():
            distribution = importlib.metadata.distribution(pin.name)
            for top in {path.parts[0] for path in distribution.files or ()} - {"..", "__pycache__"}:
                link = folder / top
                if not link.exists():
                    link.symlink_to(str(distribution.locate_file(top)))
    return folder


@pytest.fixture(scope="session")
def server(wheel: Path, production: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that the wheel is installed in."""
    environment = tmp_path_factory.mktemp("server") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    programs = environment / "bin"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--quiet", "--python", programs / "python"),
            *("install", "--no-deps", "--no-index", wheel),
        ],
        check=True,
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "production.pth").write_text(f"{production}\n")
    return programs


@pytest.fixture
def run(server: Path, tmp_path: Path) -> Run:
    """Run a program of that environment in an empty folder, with no more variables than it is given."""

    def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [server / program, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
