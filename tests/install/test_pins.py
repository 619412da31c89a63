"""Are the pins whole? Nothing is resolved at install, so what a pinned distribution needs must be pinned beside it."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.install.pins import COMPILED, REQUIREMENTS, Pin, asked_for, compiled

PYTHONS = ("3.11.0", "3.11.2", "3.11.14", "3.12.1", "3.13.0")
PLATFORMS = ("linux", "darwin")


def environment(python: str, platform: str) -> dict[str, str]:
    """What markers see there."""
    return {key: str(value) for key, value in default_environment().items()} | {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_version": python,
        "sys_platform": platform,
        "platform_system": platform.capitalize(),
    }


def pins_of(name: str) -> dict[str, Pin]:
    return {pin.name: pin for pin in compiled((REQUIREMENTS / f"{name}.txt").read_text())}


def missing(wanted: list[Requirement], pins: dict[str, Pin], where: dict[str, str]) -> list[str]:
    """Follow what is wanted through the metadata of what is installed here; return what no pin satisfies."""
    problems = []
    seen = set()
    todo = [(each, "") for each in wanted]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate(where | {"extra": extra}):
            continue
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not pin.applies(where):
            problems.append(f"{requirement} is not pinned")
            continue
        if not requirement.specifier.contains(pin.version, prereleases=True):
            problems.append(f"{requirement} is pinned to {pin.version}")
        if lacking := requirement.extras - pin.requirement.extras:
            problems.append(f"{requirement} is pinned without {sorted(lacking)}")
        for each in ("", *requirement.extras):
            if (pin.name, each) not in seen:
                seen.add((pin.name, each))
                todo += [(needed, each) for needed in needs(pin)]
    return problems


def needs(pin: Pin) -> list[Requirement]:
    """What a distribution's metadata asks for. One that is for another Python or system has none here."""
    if not importable(pin):
        return []
    return [Requirement(text) for text in importlib.metadata.requires(pin.name) or []]


def importable(pin: Pin) -> bool:
    here = {key: str(value) for key, value in default_environment().items()}
    return pin.name != "uv" and pin.applies(here)  # uv is installed beside .venv, and needs nothing


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", COMPILED)
def test_everything_that_is_needed_is_pinned_with_its_extras(name: str, python: str, platform: str) -> None:
    assert missing(asked_for(name), pins_of(name), environment(python, platform)) == []


@pytest.mark.parametrize("name", COMPILED)
def test_a_distribution_has_one_version_on_every_python_and_system(name: str) -> None:
    names = [pin.name for pin in compiled((REQUIREMENTS / f"{name}.txt").read_text())]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", COMPILED)
def test_every_pin_has_hashes(name: str) -> None:
    assert [pin.name for pin in pins_of(name).values() if not pin.hashes] == []


@pytest.mark.parametrize(("smaller", "larger"), [("base", "production"), ("production", "development")])
def test_tests_run_on_what_a_server_gets(smaller: str, larger: str) -> None:
    versions = {name: pin.version for name, pin in pins_of(larger).items()}
    assert {name: pin.version for name, pin in pins_of(smaller).items()}.items() <= versions.items()


@pytest.mark.parametrize("python", PYTHONS)
def test_every_pin_runs_on_every_python(python: str) -> None:
    where = environment(python, "linux")
    unfit = [
        pin.name
        for pin in pins_of("development").values()
        if importable(pin) and pin.applies(where)
        for wanted in importlib.metadata.metadata(pin.name).get_all("Requires-Python") or []
        if not SpecifierSet(wanted).contains(python)
    ]
    assert unfit == []


def test_what_is_installed_is_what_is_pinned() -> None:
    """Else the tests above follow the metadata of another version."""
    found = {
        pin.name: importlib.metadata.version(pin.name)
        for pin in pins_of("development").values()
        if importable(pin)
    }
    assert found == {name: str(pin.version) for name, pin in pins_of("development").items() if name in found}


def test_this_python_is_one_of_those_that_are_promised() -> None:
    assert "{}.{}".format(*sys.version_info) in {python.rpartition(".")[0] for python in PYTHONS}
