"""What every module keeps to."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    str(path.relative_to(ROOT)): path.read_text()
    for folder in ("migration_app", "console", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
}
FACADES = {"migration_app/models/__init__.py", "console/devservers/__init__.py"}
"""The two packages whose names are imported from the package itself."""


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    assert [name for name, text in MODULES.items() if text.count("\n") > 400] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [
        name for name, text in MODULES.items() if text.strip() and not ast.get_docstring(ast.parse(text))
    ] == []


def test_nothing_is_given_out_under_a_second_address() -> None:
    """Without ``__all__`` mypy lets nobody import a name from a module that has only imported it."""
    assert {name for name, text in MODULES.items() if "\n__all__" in text} <= FACADES
