"""Reading loosely typed JSON."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.conversion.text import as_id, as_number, as_uri, label, parse_time


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1702014088, 1702014088.0),
        (1702014088.5, 1702014088.5),
        ("1702014088", 1702014088.0),
        (1718480075059, 1718480075.059),
        ("2023-12-08T05:41:28Z", 1702014088.0),
        ("2023-12-08T05:41:28", 1702014088.0),
        ("2023-12-08T06:41:28+01:00", 1702014088.0),
        ("yesterday", None),
        ("nan", None),
        (None, None),
        (True, None),
        (10**400, None),
        ({}, None),
    ],
)
def test_time_is_read_in_every_form_seen(value: object, seconds: float | None) -> None:
    assert parse_time(value) == seconds


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://tides.example/a?b=c#d", "https://tides.example/a?b=c#d"),
        ("https://tides.example/ö [1]%", "https://tides.example/%C3%B6%20%5B1%5D%25"),
        ("https://[::1]:8080/", "https://[::1]:8080/"),
        ("data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo="),
        ("data:image/png;base64,iVBO\nRw0K\r\nGgo=", "data:image/png;base64,iVBORw0KGgo="),
        ("sandbox:/mnt/data/t.csv", "sandbox:/mnt/data/t.csv"),
        ("https://a.example/#x#y", "https://a.example/#x%23y"),
        ("https://a.example/cut\ud800", "https://a.example/cut%EF%BF%BD"),
        ("tides.example/a", None),
        ("https://", None),
        ("mailto:", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_address_is_encoded_or_refused(value: object, address: str | None) -> None:
    assert as_uri(value) == address


@pytest.mark.parametrize(
    ("value", "expected"), [("a", "a"), (41, "41"), (True, ""), (None, ""), (1.5, ""), (10**2000, "")]
)
def test_id_is_a_string_or_nothing(value: object, expected: str) -> None:
    assert as_id(value) == expected


@pytest.mark.parametrize("value", [True, None, "1", float("inf"), []])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a\tb  c", "a b c"), ("x" * 100, "x" * 79 + "…"), (None, "nothing"), ({1}, "no JSON value")],
)
def test_label_is_one_short_line(value: Any, expected: str) -> None:
    assert label(value) == expected
