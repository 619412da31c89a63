"""A spec as fields and back: what was not touched stays, and what is wrong is said at its field."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.admin.prompts.spec_fields import FIELDS, FormError, form_of_spec, spec_of_form
from migration_app.prompts import weight

SPEC: dict[str, Any] = {
    "model": "gpt-4o",
    "instructions": "Be brief.\nAlways.",
    "temperature": 0.5,
    "max_output_tokens": 900,
    "tools": [{"type": "web_search"}],
    "metadata": {"team": "harbour"},
    "truncation": "auto",
}


def read(**typed: str) -> tuple[dict[str, Any], list[FormError]]:
    """What the fields say, filled with a spec and then typed into."""
    errors: list[FormError] = []
    return dict(spec_of_form({**form_of_spec(SPEC), **typed}, SPEC, errors)), errors


def test_a_form_that_nobody_touched_is_the_same_spec() -> None:
    assert read() == (SPEC, [])
    assert set(form_of_spec(SPEC)) == set(FIELDS)


def test_every_field_that_is_emptied_leaves_the_spec() -> None:
    for name in ("instructions", "temperature", "max_output_tokens", "tools", "metadata"):
        assert read(**{name: " "})[0] == {key: value for key, value in SPEC.items() if key != name}
    assert read(others="")[0] == {key: value for key, value in SPEC.items() if key != "truncation"}


@pytest.mark.parametrize(("typed", "value"), [("1", 1), ("-0", 0), (" 2 ", 2), ("0.25", 0.25), ("1e0", 1.0)])
def test_numbers_are_whole_where_they_were_typed_so(typed: str, value: float) -> None:
    spec, errors = read(temperature=typed)
    assert (spec["temperature"], type(spec["temperature"]), errors) == (value, type(value), [])


def test_models_lose_blanks_around_them_and_instructions_keep_theirs() -> None:
    spec, _errors = read(model=" gpt-4.1 ", instructions=" Be brief. ")
    assert (spec["model"], spec["instructions"]) == ("gpt-4.1", " Be brief. ")


def test_other_arguments_take_the_place_of_all_others() -> None:
    spec, errors = read(others='{"store": true}')
    assert (spec["store"], "truncation" in spec, errors) == (True, False, [])


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("temperature", "warm", "This is no number."),
        ("tools", '[{"type": ]', "This is no JSON: "),
        ("tools", '[\n"open', "a text that begins in line 2 has no end."),
        ("tools", "{}", "This must be a list: [ … ]."),
        ("metadata", "[]", "This must be an object: { … }."),
        ("others", "[]", "This must be an object: { … }."),
        (
            "others",
            '{"tools": [], "model": "x"}',
            "tools, model: there is a field of its own for this above.",
        ),
        ("metadata", '{"a": "1", "a": "2"}', "The name a comes twice in one object"),
        ("metadata", '{"a": Infinity}', "Infinity is no JSON value"),
        ("metadata", "[" * 100_000 + "]" * 100_000, "This is nested too deeply"),
        ("others", '{"bogus": 1}', "bogus: responses.create has no such argument."),
        ("metadata", '{"a": 1}', "metadata.a: a value must be a text"),
        ("tools", '[{"type": "bogus"}]', "tools[0].type: there is no tool of the type bogus."),
    ],
)
def test_what_is_wrong_is_said_once_at_its_field(field: str, typed: str, said: str) -> None:
    _spec, errors = read(**{field: typed})
    assert [error.field for error in errors] == [field]
    assert said in errors[0].text


def test_more_values_than_any_prompt_has_are_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migration_app.admin.prompts.spec_fields.MOST_VALUES", 5)
    _spec, errors = read(tools="[1, 2, 3, 4, 5, 6, 7]")
    assert [error.text for error in errors] == ["This holds more values than any prompt."]
    assert weight.MOST_VALUES == 100_000
