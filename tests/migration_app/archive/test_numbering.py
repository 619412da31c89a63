"""Ids keep the numbers that they were given, however many there are."""

from __future__ import annotations

import pytest

from migration_app.archive import numbering
from migration_app.archive.numbering import Numbering


@pytest.mark.parametrize("few", [0, 1, 500, 5_000])
def test_each_id_has_the_number_that_it_was_given(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "_FEW", few)
    monkeypatch.setattr(numbering, "_FIRST_SLOTS", 16)
    ids = [f"msg_{number * 7}" for number in range(2_000)]
    given: list[str] = []
    found = Numbering(given.__getitem__)
    for object_id in ids:
        assert found.find(object_id) is None
        given.append(object_id)
        assert found.add(object_id) == len(given) - 1
    assert len(found) == 2_000
    assert [found.find(object_id) for object_id in ids] == list(range(2_000))
    assert found.find("msg_1") is None


def test_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "_FEW", 0)
    monkeypatch.setattr(numbering, "hash", lambda _id: 5, raising=False)
    given = [f"msg_{number}" for number in range(20)]
    found = Numbering(given.__getitem__)
    assert [found.add(object_id) for object_id in given] == list(range(20))
    assert [found.find(object_id) for object_id in given] == list(range(20))
    assert found.find("msg_20") is None
