"""What all forms of the console have in common."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django import forms
from django.http import QueryDict

from migration_app import admin
from migration_app.admin.base.forms import (
    CheckboxInput,
    ConsoleForm,
    RadioSelect,
    ReasonForm,
    Textarea,
    WholeNumberField,
    described,
    reason_field,
)

ADMIN = Path(admin.__file__).parent
READ_BY_HAND = {
    # Ticked rows and the name of a list's action are Django's own form.
    "action",
    "select_across",
    # What a page hands to itself, sealed or checked where it is read; nobody types it.
    "known",
    "calls",
    "base",
    "newest",
    "count",
}


def posted(text: str) -> QueryDict:
    return QueryDict(text)


class Sample(ConsoleForm):
    reason = reason_field(rows=3)
    many = WholeNumberField("How many", least=1, most=2_000, required=False)
    sure = forms.BooleanField(label="Sure", help_text="no way back", required=False, widget=CheckboxInput())
    which = forms.ChoiceField(
        label="Which", choices=[("a", described("First", "of <two>"))], required=False, widget=RadioSelect()
    )


def test_a_text_loses_what_no_column_holds_and_keeps_the_line_ends_that_were_typed() -> None:
    form = ReasonForm(posted("reason=a%00b%0D%0Ac"))
    assert form.is_valid()
    assert form.cleaned_data["reason"] == "ab\nc"


@pytest.mark.parametrize("text", ["", "reason=", "reason=+%00+"])
def test_a_reason_of_nothing_is_none(text: str) -> None:
    form = ReasonForm(posted(text))
    assert not form.is_valid()
    assert "Say why" in form.error_text()


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("1,500", 1_500), ("", None)])
def test_a_number_may_have_commas(text: str, number: int | None) -> None:
    form = Sample(posted(f"reason=r&many={text}"))
    assert form.is_valid()
    assert form.cleaned_data["many"] == number


@pytest.mark.parametrize("text", ["0", "2001", "many", "1.5", "9" * 5_000])
def test_a_number_that_cannot_be_is_told_its_bounds(text: str) -> None:
    form = Sample(posted(f"reason=r&many={text}"))
    assert form.errors["many"] == ["How many must be a whole number, 1 to 2,000."]
    assert form["many"].value() == text


def test_a_field_shows_its_label_help_and_errors_beside_it() -> None:
    form = Sample(posted("reason=&sure=on"))
    shown = form["reason"].as_field_group()
    assert '<label for="reason">Reason</label>' in shown
    assert '<span class="mc-error" role="alert" dir="auto">Say why' in shown
    assert 'id="reason_helptext"' in shown
    assert "checked" in form["sure"].as_field_group()


def test_what_a_choice_means_is_escaped() -> None:
    shown = Sample()["which"].as_field_group()
    assert "<legend>Which</legend>" in shown
    assert "of &lt;two&gt;" in shown


def test_a_text_that_begins_with_an_empty_line_keeps_it() -> None:
    # The first line end behind the tag is not part of the text, for browsers.
    assert ">\n\nfirst</textarea>" in Textarea().render("name", "\nfirst")


def test_no_page_reads_by_hand_what_a_person_filled_in() -> None:
    found = set()
    for path in ADMIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="POST"), attr="get" | "getlist"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    found.add(name)
                case ast.Subscript(value=ast.Attribute(attr="POST"), slice=ast.Constant(value=str(name))):
                    found.add(name)
                case _:
                    pass
    assert found <= READ_BY_HAND
