"""docs/conversion.md: the fate of any field is found from its name, by the index at the top."""

from __future__ import annotations

import pathlib
import re
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from openai.types import FileObject, VectorStore
    from openai.types.beta import Assistant, Thread
    from openai.types.beta.threads import Message, Run
    from openai.types.beta.threads.runs import RunStep

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "conversion.md").read_text(encoding="utf-8")
SECTIONS = {
    re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): body
    for title, body in re.findall(r"^###? (.+)\n((?:(?!##).*\n)*)", PAGE, re.MULTILINE)
}
TABLES = [
    "threads",
    "messages",
    "content-parts",
    "annotations",
    "attachments",
    "run-steps-and-tool-calls",
    "runs",
    "assistants",
    "runs-as-responses",
]


def rows(section: str) -> list[list[str]]:
    """The cells of each row of a section's tables."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(cell: str) -> set[str]:
    """Field names and types in a cell; of a path its parts."""
    return {part for name in re.findall(r"`([a-z0-9_.]+)`", cell) for part in name.split(".")}


INDEX = rows("find-a-field")[1:]


def test_every_link_leads_to_a_section() -> None:
    links = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert links
    assert links <= SECTIONS.keys()


@pytest.mark.parametrize("section", TABLES)
def test_every_name_at_the_beginning_of_a_row_is_in_the_index_with_a_link_to_its_section(
    section: str,
) -> None:
    beginnings = set[str]().union(*(names(row[0]) for row in rows(section)))
    linked = set[str]().union(*(names(row[1]) for row in INDEX if f"(#{section})" in row[2]))
    assert beginnings
    assert beginnings <= linked


@pytest.mark.parametrize(
    "row",
    [row for row in INDEX if "](#" in row[2] and not row[2].startswith("console")],
    ids=lambda row: f"{row[0]} {row[1][:20]}",
)
def test_where_the_index_leads_to_the_field_is_named(row: list[str]) -> None:
    text = " ".join(SECTIONS[section] for section in re.findall(r"\(#([^)]*)\)", row[2]))
    assert {name for name in names(row[1]) if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize(
    ("owner", "model"),
    [
        ("thread", Thread),
        ("message", Message),
        ("run", Run),
        ("step", RunStep),
        ("assistant", Assistant),
        ("file", FileObject),
        ("vector store", VectorStore),
    ],
)
def test_every_field_that_the_sdk_knows_is_in_the_index(owner: str, model: type) -> None:
    indexed = set[str]().union(*(names(row[1]) for row in INDEX if row[0] == owner))
    fields: set[str] = set(vars(model)["__pydantic_fields__"])
    assert fields <= indexed
