from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import migration_app
from migration_app.statements import statements_of

ROOT = Path(migration_app.__file__).parent
FILES = sorted(ROOT.rglob("*.sql"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_file_stands_beside_its_module_and_each_of_its_statements_is_used(file: Path) -> None:
    module = ".".join(["migration_app", *file.relative_to(ROOT).with_suffix("").parts])
    importlib.import_module(module)
    source = file.with_suffix(".py").read_text()
    for name, statement in statements_of(module).items():
        assert f'"{name}"' in source
        assert not statement.startswith("--")


@pytest.mark.parametrize(
    "text",
    ["SELECT 1\n", "-- one --\nSELECT 1\n", "-- one --\n-- Says.\n", "-- one --\n-- A.\nSELECT 1\n" * 2],
    ids=["no name", "no comment", "no statement", "twice"],
)
def test_a_file_that_is_no_row_of_statements_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package_of_sql"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "some.sql").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(ValueError, match=r"some\.sql"):
        statements_of("package_of_sql.some")
