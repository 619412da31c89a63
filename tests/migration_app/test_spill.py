"""Sequences in a temporary file read as the same elements in memory, and say so where there is no room."""

from __future__ import annotations

import errno
import io
import os
import pathlib
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from migration_app import spill
from migration_app.contracts import Finding, PlannedItem, Severity
from migration_app.spill import (
    FINDINGS,
    ITEMS,
    JSON,
    Gathering,
    Numbers,
    Spilled,
    TemporarySpaceError,
    is_spilled,
    replaced,
    selected,
)

VALUES: list[Any] = [{"n": number, "text": "grüß dich 🐟 " * (number % 50)} for number in range(2000)]


def spilled(values: Sequence[Any]) -> Sequence[Any]:
    """The values in a file."""
    gathering = Gathering(JSON, spill=True)
    for value in values:
        gathering.append(value)
    return gathering.sequence()


def test_elements_come_back_in_any_order() -> None:
    found = spilled(VALUES)
    assert is_spilled((), found)
    assert len(found) == len(VALUES)
    assert list(found) == VALUES
    assert list(reversed(found)) == VALUES[::-1]
    assert [found[number] for number in (1999, 0, 1000, -1)] == [VALUES[n] for n in (1999, 0, 1000, -1)]


def test_a_place_behind_the_last_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        spilled(VALUES)[len(VALUES)]


def test_a_short_slice_is_a_tuple_and_a_long_one_stays_in_the_file() -> None:
    found = spilled(VALUES)
    assert found[10:30] == tuple(VALUES[10:30])
    assert isinstance(found[:1500], Spilled)
    assert list(found[:1500]) == VALUES[:1500]


def test_an_element_larger_than_a_block_comes_back_whole() -> None:
    values = ["a", "x" * 300_000, "b", "", "ö" * 70_000]
    found = spilled(values)
    assert [found[number] for number in (1, 4, 0, 2, 3)] == [values[number] for number in (1, 4, 0, 2, 3)]


@pytest.mark.parametrize(
    "value", ["cut \ud83c", "\ud83c\udf3e as two halves", "\x00\x1e\n", 10**400, 1e308, None, [], {"": [{}]}]
)
def test_odd_values_come_back_as_they_went_in(value: Any) -> None:
    (found,) = spilled([value])
    assert found == value


def test_a_planned_item_comes_back_with_the_bytes_it_is_sent_as() -> None:
    planned = PlannedItem(
        {"type": "message", "content": [{"text": "one\ntwo \u2028 ü"}]}, "step", "step_1", 7
    )
    gathering = Gathering(ITEMS, spill=True)
    gathering.append(planned)
    (found,) = gathering.sequence()
    assert (found, found.body) == (planned, planned.body)
    assert found.body == '{"type":"message","content":[{"text":"one\\ntwo \u2028 ü"}]}'.encode()


def test_a_finding_comes_back_with_its_severity() -> None:
    finding = Finding("code", Severity.LOSSY, "run", "run_1", "status", "It ended.", "Look.")
    gathering = Gathering(FINDINGS, spill=True)
    gathering.append(finding)
    (found,) = gathering.sequence()
    assert found == finding
    assert found.severity is Severity.LOSSY


def test_little_stays_in_memory_and_much_goes_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 100)
    gathering = Gathering(JSON)
    for number in range(10):
        gathering.append(number, 10)
    assert gathering.sequence() == tuple(range(10))
    gathering.append(10, 10)
    gathering.append(11)
    assert is_spilled(gathering.sequence())
    assert [gathering[number] for number in range(12)] == list(gathering.sequence()) == list(range(12))
    assert list(gathering.sequence([11, 0, 5])) == [11, 0, 5]


@pytest.mark.parametrize("make", [tuple, spilled])
def test_elements_can_be_replaced_and_selected_and_what_they_came_from_stays(make: Any) -> None:
    values = make([0, 1, 2, 3])
    assert list(replaced(values, {1: "one", 3: "three"})) == [0, "one", 2, "three"]
    assert list(selected(values, [0, 2], ["more"])) == [0, 2, "more"]
    assert list(values) == [0, 1, 2, 3]


def test_a_full_disk_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*, buffering: int) -> io.FileIO:
        return pathlib.Path("/dev/full").open("r+b", buffering=buffering)  # type: ignore[return-value] # unbuffered

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(
        TemporarySpaceError, match=r"No space left .* free space there, or set TMPDIR"
    ) as caught:
        spilled(VALUES)
    assert caught.value.errno == errno.ENOSPC


def test_a_temporary_directory_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(
        TemporarySpaceError, match=r"in /nowhere/at/all .* failed \(No such file or directory\)"
    ):
        spilled(VALUES)


def test_having_no_temporary_directory_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: none())
    with pytest.raises(TemporarySpaceError, match="in the temporary directory"):
        spilled(VALUES)


def test_a_file_that_cannot_be_read_again_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    found = spilled(VALUES)
    monkeypatch.setattr("migration_app.spill.os.pread", broken)
    with pytest.raises(TemporarySpaceError, match="Input/output error"):
        list(found)


def test_what_fills_no_block_needs_no_file() -> None:
    found = spilled(VALUES[:20])
    assert isinstance(found, Spilled)
    assert found._log._file is None
    assert list(found) == VALUES[:20]


def test_the_file_is_closed_with_its_last_reader() -> None:
    found = spilled(VALUES)
    assert isinstance(found, Spilled)
    file = found._log._file
    assert file is not None
    alive, descriptor = weakref.ref(file), file.descriptor
    part = found[:1000]
    del found, file
    assert os.fstat(descriptor).st_size > 0
    assert part[0] == VALUES[0]
    del part
    assert alive() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_numbers_are_the_same_in_memory_and_in_a_file() -> None:
    values = [number * number for number in range(10_000)]
    found = Numbers(values)
    assert list(found) == values
    assert (len(found), found[0], found[4095], found[4096], found[-1]) == (
        10_000,
        0,
        4095**2,
        4096**2,
        9999**2,
    )
    assert list(found[::-1]) == values[::-1]
    assert list(found[4000:9000:7]) == values[4000:9000:7]
    with pytest.raises(IndexError):
        found[10_000]


@pytest.mark.parametrize("numbers", [[5, 6, 7, 8], [5, 6, 8, 9], [8, 7, 6], [3], [], [5, 6, 5, 6]])
def test_a_sequence_has_the_elements_of_its_numbers_in_their_order(numbers: list[int]) -> None:
    gathering = Gathering(JSON, spill=True)
    for value in VALUES:
        gathering.append(value)
    assert list(gathering.sequence(numbers)) == [VALUES[number] for number in numbers]
