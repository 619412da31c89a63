"""The first command, a year later: an index that has a newer release of everything must change nothing.

`make` installs for real, offline, into a folder of its own, from files made here, as `make wheels` leaves them. They
carry the metadata of the real ones (what they need, and which extras they have) and are otherwise empty.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.install.pins import COMPILED, REQUIREMENTS, ROOT, Pin, compiled

OFFLINE = ("--no-index", "--find-links", "wheels")
PIP_INSTALL = re.search(r"^PIP_INSTALL := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def wheel(index: Path, name: str, version: str, needs: list[str], extras: list[str]) -> str:
    """Write an empty wheel; return its hash as pip wants it."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        *("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"),
        *(f"Requires-Dist: {each}" for each in needs),
        *(f"Provides-Extra: {each}" for each in extras),
    ]
    files = {
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for path, text in files.items()
    ]
    path = index / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
        archive.writestr(
            f"{stem}.dist-info/RECORD", "\n".join([*record, f"{stem}.dist-info/RECORD,,"]) + "\n"
        )
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def offer(index: Path, pin: Pin) -> str:
    """Put the pinned release and newer ones there; return the pinned one's hash."""
    try:
        found = importlib.metadata.metadata(pin.name)
    except importlib.metadata.PackageNotFoundError:  # for another Python or system, or uv
        needs, extras = [], []
    else:
        needs, extras = found.get_all("Requires-Dist") or [], found.get_all("Provides-Extra") or []
    major, *rest = pin.version.release
    for newer in (".".join(map(str, (major, *rest[:-1], (rest or [0])[-1] + 1))), f"{major + 1}.0", "9999.1"):
        wheel(index, pin.name, newer, needs, extras)
    return wheel(index, pin.name, str(pin.version), needs, extras)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makefile and requirements in a path with spaces, beside the files."""
    checkout = tmp_path_factory.mktemp("a checkout, a year later")
    (checkout / "requirements").mkdir()
    (checkout / "wheels").mkdir()
    shutil.copy(ROOT / "Makefile", checkout)
    hashes: dict[str, str] = {}
    for name in COMPILED:
        lines = []
        for pin in compiled((REQUIREMENTS / f"{name}.txt").read_text()):
            release = f"{pin.name} {pin.version}"
            if release not in hashes:
                hashes[release] = offer(checkout / "wheels", pin)
            lines.append(f"{pin.requirement} --hash={hashes[release]}\n")
        (checkout / "requirements" / f"{name}.txt").write_text("".join(lines))
    return checkout


def run(checkout: Path, *command: str | Path) -> str:
    """Run a command that nobody's settings of pip reach."""
    result = subprocess.run(
        command,
        cwd=checkout,
        env={
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PIP_", "MAKE", "MFLAGS"))
            },
            "PIP_CONFIG_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def wanted(name: str) -> dict[str, str]:
    return {
        pin.name: str(pin.version)
        for pin in compiled((REQUIREMENTS / f"{name}.txt").read_text())
        if pin.requirement.marker is None or pin.requirement.marker.evaluate()
    }


@pytest.fixture(scope="module")
def installed(checkout: Path) -> Path:
    """What the first command makes of it: Python in a virtual environment."""
    python = checkout / "a python"
    python.symlink_to(Path(sys.executable).resolve())
    run(checkout, "make", f"PYTHON={python}", ".venv/.installed")
    return checkout / ".venv" / "bin" / "python"


def test_the_first_command_installs_what_is_pinned_and_nothing_else(checkout: Path, installed: Path) -> None:
    found = json.loads(run(checkout, installed, "-m", "pip", "list", "--format=json"))
    assert {each["name"]: each["version"] for each in found if each["name"] != "pip"} == (
        wanted("development")
    )


@pytest.mark.parametrize("name", [name for name in COMPILED if name != "development"])
def test_each_other_file_installs_what_is_pinned_and_nothing_else(
    checkout: Path, installed: Path, tmp_path: Path, name: str
) -> None:
    assert PIP_INSTALL is not None
    run(
        checkout,
        *(installed, *PIP_INSTALL[1].split(), "--dry-run", "--ignore-installed", *OFFLINE),
        *("--report", tmp_path / "report.json", "-r", f"requirements/{name}.txt"),
    )
    report = json.loads((tmp_path / "report.json").read_text())
    found = {each["metadata"]["name"]: each["metadata"]["version"] for each in report["install"]}
    assert found == wanted(name)


@pytest.mark.parametrize("path", ["docs/deployment.md", "docs/deploy/Dockerfile"])
def test_a_server_installs_by_the_same_options(path: str) -> None:
    assert PIP_INSTALL is not None
    options = set(PIP_INSTALL[1].split()) - {"--quiet", "--disable-pip-version-check"}
    text = (ROOT / path).read_text().replace("\\\n", " ")
    installs = [line for line in text.splitlines() if "-r requirements/" in line]
    assert installs
    for line in installs:
        assert options <= set(line.split())
    assert "pip check" in text
