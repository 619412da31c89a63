"""The one writer of CSV, and its twin in SQL."""

from __future__ import annotations

import io

import pytest
from django.db import connection

from migration_app.csv_files import FORMULA_STARTS, csv_lines, csv_write, safe_cell_sql


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_formula_becomes_text(start: str) -> None:
    (_header, line) = csv_lines(["cell"], [[f"{start}1"]])
    assert line.strip('"\r\n').startswith("'")


def test_numbers_and_empty_cells_stay_as_they_are() -> None:
    file = io.StringIO()
    csv_write(file, ["a", "b", "c"], [[-1, None, "plain"]])
    assert file.getvalue() == "a,b,c\r\n-1,,plain\r\n"


@pytest.mark.django_db
@pytest.mark.parametrize("start", [*FORMULA_STARTS, "x", ""])
def test_the_database_makes_the_same_cells_safe(start: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {safe_cell_sql('c')} FROM (VALUES (%s)) AS t(c)", [f"{start}1"])
        row = cursor.fetchone()
    assert row == (f"'{start}1" if start in FORMULA_STARTS else f"{start}1",)
