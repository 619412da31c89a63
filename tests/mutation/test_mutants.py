"""Mutants: what is changed and what never is, which are drawn, and which tests are asked. None is tried here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation.drawing import ROOMS, Result, candidates, drawn, summary
from tests.mutation.mutants import main, mirror_of, module_of, namesakes
from tests.mutation.mutations import KINDS, mutants_of, mutated

ROOT = Path(__file__).resolve().parents[2]
PATH = "migration_app/threads/one.py"


def changes(source: str, kind: str) -> list[str]:
    return [mutant.change for mutant in mutants_of(PATH, source) if mutant.kind == kind]


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("x = a == b", "comparison", ["a == b → a != b"]),
        ("x = a < b <= c", "comparison", ["a < b <= c → a <= b <= c", "a < b <= c → a < b < c"]),
        ("x = a is None", "comparison", ["a is None → a is not None"]),
        ("x = a in b", "comparison", ["a in b → a not in b"]),
        ("x = a and b", "condition", ["a and b → a or b"]),
        ("x = not a", "condition", ["not a → a"]),
        ("if a: b()", "condition", ["a → not a"]),
        ("x = [a for a in b if a.c]", "condition", ["a.c → not a.c"]),
        ("while True: b()", "condition", []),
        ("x = True", "constant", ["True → False"]),
        ("x = 7", "constant", ["7 → 8"]),
        ("x = 'thread.resumed'", "name", ["'thread.resumed' → 'thread.resumed_'"]),
        ("x = ''", "name", ["'' → 'x'"]),
        ("x = 'A sentence for people.'", "name", []),
        ("x = f'{a}bc'", "name", []),
        ("f(a, b=c)", "argument", ["f(…) without b=c"]),
        ("x.get(a, b)", "argument", ["x.get(…) without b"]),
        ("zip(a, b, strict=True)", "argument", []),
        ("field(help_text='Kept in the audit trail.')", "argument", []),
        ("f(a)", "statement", ["f(a) → pass"]),
        ("x.y = a", "statement", ["x.y = a → pass"]),
        ("x = a", "statement", []),
        ("raise a", "statement", ["raise a → pass"]),
        ("def f():\n  if a:\n    return b\n  return c", "return", ["return b → pass"]),
    ],
)
def test_each_kind_of_change_is_found(source: str, kind: str, expected: list[str]) -> None:
    assert changes(source, kind) == expected


@pytest.mark.parametrize(
    "source",
    [
        "'''Words: == 1.'''",
        "def f(a: 'name' = b) -> Literal['name']:\n  '''name'''",
        "x: Literal['name'] = a",
        "@frozen(slots=True)\nclass A: pass",
        "logger.warning('name', exc_info=True)",
        "__all__ = ['name']",
        "if TYPE_CHECKING:\n  f()",
    ],
)
def test_docstrings_annotations_decorators_and_logs_are_left_alone(source: str) -> None:
    assert mutants_of(PATH, source) == []


def test_sql_is_changed_column_by_column_and_condition_by_condition() -> None:
    source = '_SQL = """\n    UPDATE t SET\n        a = 1,\n        b = 2\n    WHERE c IS NULL AND d > 3\n"""'
    found = [(mutant.line, mutant.change) for mutant in mutants_of(PATH, source)]
    assert found == [
        (3, "a = 1, → nothing"),
        (5, "AND d > 3 → nothing"),
        (5, "> → >="),
        (5, "IS NULL → IS NOT NULL"),
    ]


def test_statements_beside_a_module_are_changed_and_their_comments_are_not() -> None:
    path = "migration_app/threads/one.sql"
    source = "-- done --\n-- Those WHERE a IS NULL.\nSELECT a FROM t\nWHERE b IS NULL\n  AND c > 3\n"
    found = mutants_of(path, source)
    assert [(mutant.line, mutant.kind, mutant.change) for mutant in found] == [
        (4, "sql", "IS NULL → IS NOT NULL"),
        (5, "sql", "> → >="),
        (5, "sql", "AND c > 3 → nothing"),
    ]
    assert mutated(source, found[1]) == source.replace("c > 3", "c >= 3")


def test_tests_of_statements_are_those_of_the_module_that_reads_them() -> None:
    assert module_of("migration_app/engine/journal.sql") == "migration_app/engine/journal.py"
    found = {Path(mutant.path) for mutant in candidates(ROOT, ROOMS) if mutant.path.endswith(".sql")}
    assert found
    assert all((ROOT / module_of(str(path))).is_file() for path in found)


def test_mutant_changes_its_place_and_nothing_else() -> None:
    source = "def f(a):\n    if a == 1:\n        return 'b'\n    return f'{a == 2}'\n"
    one = next(mutant for mutant in mutants_of(PATH, source) if mutant.line == 2)
    assert mutated(source, one) == source.replace("a == 1", "a != 1")


def test_lines_that_reach_a_mutant_begin_with_its_statement_and_an_import_reaches_the_rest() -> None:
    source = "X = 1\ndef f(a=2):\n    g(\n        b=3,\n    )\n"
    assert [(found.line, found.first, found.last) for found in mutants_of(PATH, source)] == [
        (1, None, None),
        (2, None, None),
        (3, 3, 5),
        (4, 3, 4),
        (4, 3, 4),
    ]


def test_every_room_and_every_kind_can_be_drawn_and_what_is_drawn_is_another_module() -> None:
    found = candidates(ROOT, ROOMS)
    assert {mutant.kind for mutant in found} == set(KINDS)
    assert {Path(mutant.path).parts[1] for mutant in found} == set(ROOMS)
    for mutant in drawn(found, 16, 1):
        source = (ROOT / mutant.path).read_text()
        changed = mutated(source, mutant)
        if mutant.path.endswith(".sql"):
            assert changed != source, mutant
        else:
            assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), mutant


def test_seed_decides_what_is_drawn() -> None:
    found = candidates(ROOT, ["archive"])
    assert drawn(found, 20, 1) == drawn(found, 20, 1) != drawn(found, 20, 2)
    assert len(set(drawn(found, 20, 1))) == 20


def test_a_place_can_be_named_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--at", "threads/plans.py"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith(", seed None")
    assert lines
    assert all(line.startswith("migration_app/threads/plans.py:") for line in lines)


def test_tests_mirror_the_modules() -> None:
    assert (
        mirror_of("migration_app/engine/journal/entries.py")
        == "tests/migration_app/engine/journal/test_entries"
    )


def test_tests_of_the_same_name_in_another_room_are_asked_too() -> None:
    found = namesakes(ROOT, "migration_app/threads/orphans.py")
    assert found == ["tests/migration_app/admin/threads/test_orphans.py"]


def test_a_timeout_is_noticed_and_what_survives_is_not() -> None:
    one, two, three = mutants_of(PATH, "x = 1\ny = 2\nz = 3")
    results = [Result(one, "killed", "tests/a.py::b"), Result(two, "timeout"), Result(three, "survived")]
    found = summary(results, seed=1, tree="abc", failing=["tests/c.py::d"])
    assert (found["total"], found["killed"], found["timeout"], found["survived"]) == (3, 1, 1, 1)
    assert found["percent"] == 66.7
    assert found["left_out"] == ["tests/c.py::d"]
