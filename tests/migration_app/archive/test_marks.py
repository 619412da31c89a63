"""What is remembered of rejected objects of a thread until they come."""

from __future__ import annotations

from typing import Any

from migration_app.archive.marks import Mark, OpenMarks, likeness

VALUE: dict[str, Any] = {"content": "hi", "created_at": 5}
LATER = VALUE | {"id": "msg_1"}


def mark(*values: dict[str, Any], name: str = "a-1") -> Mark:
    return Mark("message", "", "no id", 1, name, likes=tuple(likeness(value) for value in values))


def open_names(marks: OpenMarks) -> list[str]:
    return [found.name for found in marks.unresolved(lambda _kind, _id: None)]


def test_a_file_imported_twice_waits_for_its_rejected_object_once() -> None:
    marks = OpenMarks()
    marks.add(mark(VALUE), "import-1")
    marks.came("message", LATER, "import-2")
    marks.add(mark(VALUE), "import-3")
    assert open_names(marks) == []


def test_each_of_two_alike_objects_must_come() -> None:
    marks = OpenMarks()
    marks.add(mark(VALUE, VALUE), "import-1")
    marks.came("message", LATER, "import-2")
    assert open_names(marks) == ["a-1"]
    marks.came("message", LATER | {"id": "msg_2"}, "import-2")
    assert open_names(marks) == []


def test_an_object_of_the_same_file_is_another_one() -> None:
    marks = OpenMarks()
    marks.add(mark(VALUE), "import-1")
    marks.came("message", LATER, "import-1")
    assert open_names(marks) == ["a-1"]


def test_an_object_fills_the_mark_of_another_import_behind_one_of_its_own() -> None:
    marks = OpenMarks()
    marks.add(mark(VALUE, name="own"), "import-2")
    marks.add(mark(VALUE, name="other"), "import-1")
    marks.came("message", LATER, "import-2")
    assert open_names(marks) == ["own"]
