"""Two specs held against each other: words, names and paths."""

from __future__ import annotations

from typing import Any

from migration_app.conversion.prompts.diff import (
    MAX_CHANGES,
    SpecDiff,
    spec_diff,
    tool_names,
)


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}, **more}


def changes(diff: SpecDiff) -> list[tuple[str, str]]:
    return [(tool.name, tool.kind) for tool in diff.tools]


def settings(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [(change.path, change.before, change.after) for change in spec_diff(before, after).settings]


def test_equal_specs_do_not_differ() -> None:
    spec = {"model": "gpt-4o", "instructions": "Be brief.", "tools": [function("tide")]}
    diff = spec_diff(spec, dict(reversed(spec.items())))
    assert (diff.is_same, diff.summary, diff.unchanged_tools) == (True, "", 1)


def test_a_summary_names_what_differs_without_content() -> None:
    before = {
        "model": "m",
        "instructions": "Be brief.",
        "tools": [function("a"), function("b"), function("c")],
    }
    after = {
        "model": "n",
        "instructions": "Be very brief.",
        "tools": [function("b"), function("a", strict=True), function("d"), function("e")],
        "text": {"format": {"type": "text"}, "verbosity": "low"},
    }
    diff = spec_diff(before, after)
    assert diff.summary == (
        "instructions (−0 +5 characters), 2 tools added, 1 tool removed, 1 tool changed, 1 tool moved, model, text"
    )
    assert changes(diff) == [
        ("b", "moved"),
        ("a", "changed"),
        ("d", "added"),
        ("e", "added"),
        ("c", "removed"),
    ]


def test_many_settings_are_counted_in_a_summary() -> None:
    diff = spec_diff({}, {f"setting_{number}": number for number in range(8)})
    assert diff.summary.endswith("setting_5, 2 more settings")


def test_tools_are_matched_by_name_and_numbered_where_they_have_none() -> None:
    tools = [
        function("tide"),
        {"type": "file_search"},
        {"type": "file_search"},
        {"type": "custom", "name": "x"},
    ]
    assert tool_names([*tools, function("tide"), "odd"]) == [
        "tide",
        "file_search",
        "file_search (2)",
        "x",
        "tide (2)",
        "nothing",
    ]


def test_a_schema_differs_by_path() -> None:
    before = function(
        "f", parameters={"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]}
    )
    after = function(
        "f", parameters={"properties": {"a": {"type": "number"}, "c": {}}, "required": ["a", "c", "d"]}
    )
    (tool,) = spec_diff({"tools": [before]}, {"tools": [after]}).tools
    assert [(change.path, change.before, change.after) for change in tool.changes] == [
        ("parameters.properties.a.type", "string", "number"),
        ("parameters.properties.b", "{}", None),
        ("parameters.properties.c", None, "{}"),
        ("parameters.required[1]", "b", "c"),
        ("parameters.required[2]", None, "d"),
    ]


def test_entries_that_went_have_the_place_they_had() -> None:
    assert settings({"include": ["a", "b", "c"]}, {"include": ["c"]}) == [
        ("include[0]", "a", None),
        ("include[1]", "b", None),
    ]


def test_long_texts_are_compared_by_words() -> None:
    text = "Looks up the tide of a day, with its height in metres and its time."
    (change,) = spec_diff({"a": text}, {"a": text.replace("metres", "feet")}).settings
    assert change.text is not None
    assert (change.text.removed, change.text.added) == (6, 4)


def test_values_of_another_type_differ() -> None:
    assert settings({"temperature": 1}, {"temperature": True}) == [("temperature", "1", "true")]
    assert settings({"a": [1]}, {"a": {"b": 1}}) == [("a", "[\n  1\n]", '{\n  "b": 1\n}')]


def test_long_values_are_cut() -> None:
    ((_path, _before, after),) = settings({}, {"a": "x" * 5_000})
    assert after is not None
    assert after.endswith("… (3,000 more characters)")


def test_lists_too_long_to_compare_are_told_by_their_length() -> None:
    before, after = [str(number) for number in range(400)], [str(-number) for number in range(400)]
    assert settings({"a": before}, {"a": after}) == [("a", "400 entries", "400 entries")]


def test_more_changes_than_a_page_holds_are_counted() -> None:
    many = {f"k{number:04}": number for number in range(MAX_CHANGES + 5)}
    diff = spec_diff({"tools": [function("f")]}, {"tools": [function("f", parameters=many)], **many})
    assert (len(diff.settings), diff.more_settings) == (MAX_CHANGES, 5)
    assert (len(diff.tools[0].changes), diff.tools[0].more) == (MAX_CHANGES, 7)


def test_what_is_no_list_of_tools_or_text_is_a_setting() -> None:
    assert settings({"tools": "none", "instructions": 5}, {}) == [
        ("instructions", "5", None),
        ("tools", "none", None),
    ]


def test_128_tools_with_schemas_are_compared() -> None:
    tools = [function(f"f{number}", description=f"Does {number}.") for number in range(128)]
    other = [*tools[:64], function("f64", description="Does something else."), *tools[65:]]
    diff = spec_diff({"tools": tools}, {"tools": other})
    assert (changes(diff), diff.unchanged_tools) == ([("f64", "changed")], 127)
