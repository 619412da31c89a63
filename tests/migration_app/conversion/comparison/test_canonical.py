"""Comparing what was planned with what a server gives back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.conversion.comparison.canonical import (
    Fingerprinting,
    ItemsComparison,
    canonical_item,
    fingerprint,
    read_back_includes,
)
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import compare_items, golden_files, source_thread

USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}
TEXT: dict[str, Any] = {"type": "output_text", "text": "Hello.", "annotations": [], "logprobs": []}
ASSISTANT: dict[str, Any] = {"type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}
CITATION = {"type": "file_citation", "file_id": "file-a", "filename": "a.pdf", "index": 0}
CALL: dict[str, Any] = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
CODE: dict[str, Any] = {
    "type": "code_interpreter_call",
    "container_id": "cntr_1",
    "code": "1+1",
    "outputs": [{"type": "logs", "logs": "2"}],
}


def user_part(**part: Any) -> dict[str, Any]:
    """A user's message of one part."""
    return {"type": "message", "role": "user", "content": [part]}


@pytest.mark.parametrize(
    ("planned", "found"),
    [
        (USER, USER | {"id": "msg_1", "status": "completed", "created_by": "x", "phase": None}),
        (USER, {"role": "user", "content": "Hi."}),
        (USER, {"role": "user", "content": ["Hi."]}),
        (USER, user_part(type="text", text="Hi.")),
        (ASSISTANT, {"type": "message", "role": "assistant", "content": "Hello."}),
        (
            ASSISTANT,
            {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        ),
        (ASSISTANT, ASSISTANT | {"id": "msg_2", "content": [{"type": "output_text", "text": "Hello."}]}),
        (ASSISTANT, ASSISTANT | {"content": [TEXT | {"annotations": None, "logprobs": None}]}),
        (
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION]}]},
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION | {"quote": None}]}]},
        ),
        (CALL, CALL | {"id": "fc_1", "status": None, "namespace": None}),
        (OUTPUT, OUTPUT | {"id": "fco_1", "status": "completed", "created_by": "x"}),
        (OUTPUT, OUTPUT | {"output": [{"type": "input_text", "text": "done"}]}),
        (OUTPUT, OUTPUT | {"output": [{"type": "output_text", "text": "done", "annotations": []}]}),
        (
            OUTPUT
            | {"output": [{"type": "input_text", "text": "a"}, {"type": "input_image", "file_id": "f"}]},
            OUTPUT
            | {
                "output": [
                    {"type": "text", "text": "a", "annotations": None},
                    {"type": "input_image", "file_id": "f", "detail": "auto", "image_url": None},
                ]
            },
        ),
        (CODE | {"outputs": [{"score": 1.0}]}, CODE | {"outputs": [{"score": 1}]}),
        (USER | {"content": []}, USER | {"content": None}),
        (
            user_part(type="input_image", file_id="file-a", detail="auto"),
            user_part(type="input_image", file_id="file-a", image_url=None),
        ),
        (
            user_part(type="input_file", file_id="file-a"),
            user_part(type="input_file", file_id="file-a", filename="a.pdf", detail="auto"),
        ),
        (
            user_part(type="input_file", file_data="QUJD", filename="a.pdf"),
            user_part(type="input_file", file_data="QUJD", filename="a.pdf", file_id=None),
        ),
    ],
)
def test_documented_normalisations_make_no_difference(planned: dict[str, Any], found: dict[str, Any]) -> None:
    assert canonical_item(planned) == canonical_item(found)
    assert fingerprint([planned]) == fingerprint([found])
    assert compare_items([planned], [found]) is None


@pytest.mark.parametrize(
    ("planned", "found", "text"),
    [
        (
            USER,
            user_part(type="input_text", text="Ho."),
            "item 1 (message by user): content 1 (input_text) text differs at character 1",
        ),
        (
            USER,
            user_part(type="input_text", text="Hi. And more"),
            "item 1 (message by user): content 1 (input_text) text differs at character 3",
        ),
        (USER, ASSISTANT, "item 1 (message by user): role is assistant, planned was user"),
        (USER, CALL, "item 1 (message by user): type is function_call, planned was message"),
        (
            USER,
            USER | {"content": USER["content"] * 2},
            "item 1 (message by user): content differs in number (planned 1: input_text, found 2: input_text)",
        ),
        (
            ASSISTANT,
            ASSISTANT | {"status": "incomplete"},
            "item 1 (message by assistant): status is incomplete, planned was nothing",
        ),
        (
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION]}]},
            ASSISTANT,
            (
                "item 1 (message by assistant): content 1 (output_text) annotations differs "
                "(planned 1: file_citation, found nothing)"
            ),
        ),
        (
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION]}]},
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION | {"index": 7}]}]},
            (
                "item 1 (message by assistant): content 1 (output_text) annotations 1 (file_citation) index differs "
                "(planned 0, found 7)"
            ),
        ),
        (
            ASSISTANT,
            user_part() | {"role": "assistant"},
            "item 1 (message by assistant): content 1 (output_text) type is nothing, planned was output_text",
        ),
        (CALL, CALL | {"call_id": "call_2"}, "item 1 (function_call): call_id differs at character 5"),
        (
            OUTPUT,
            OUTPUT | {"output": [{"type": "input_image"}]},
            "item 1 (function_call_output): output differs",
        ),
        (
            OUTPUT,
            OUTPUT | {"output": [{"type": "input_text", "text": "done", "extra": "more words"}]},
            "item 1 (function_call_output): output differs (planned a string, found 1: input_text)",
        ),
        (
            OUTPUT,
            OUTPUT | {"output": [{"type": "input_text", "text": "done", "annotations": [CITATION]}]},
            "item 1 (function_call_output): output differs (planned a string, found 1: input_text)",
        ),
        (
            OUTPUT,
            OUTPUT | {"output": ["done"]},
            "item 1 (function_call_output): output differs (planned a string, found 1)",
        ),
        (
            ASSISTANT,
            ASSISTANT | {"content": [TEXT | {"logprobs": [{"token": "x", "logprob": -1.5}]}]},
            "item 1 (message by assistant): content 1 (output_text) logprobs differs (planned nothing, found 1)",
        ),
        (
            ASSISTANT,
            ASSISTANT | {"content": [TEXT | {"parsed": {"a": 1}}]},
            "item 1 (message by assistant): content 1 (output_text) parsed differs",
        ),
        (
            CODE | {"outputs": [{"type": "logs", "ok": True}]},
            CODE | {"outputs": [{"type": "logs", "ok": 1}]},
            "item 1 (code_interpreter_call): outputs 1 (logs) ok differs (planned True, found 1)",
        ),
        (
            CODE | {"outputs": [0]},
            CODE | {"outputs": [False]},
            "item 1 (code_interpreter_call): outputs 1 differs (planned 0, found False)",
        ),
        (
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION]}]},
            ASSISTANT | {"content": [TEXT | {"annotations": [CITATION | {"index": False}]}]},
            (
                "item 1 (message by assistant): content 1 (output_text) annotations 1 (file_citation) index differs "
                "(planned 0, found False)"
            ),
        ),
        (
            USER | {"content": []},
            USER | {"content": {"type": "input_text", "text": "Ho."}},
            "item 1 (message by user): content differs (planned 0, found an object)",
        ),
        (
            USER,
            USER | {"content": [7]},
            "item 1 (message by user): content 1 (input_text) differs (planned an object, found 7)",
        ),
        (
            CALL,
            CALL | {"extra": 1},
            "item 1 (function_call): extra differs (planned nothing, found 1)",
        ),
        (
            {"type": "reasoning", "a": {"b": None}},
            {"type": "reasoning", "a": {}},
            "item 1 (reasoning): a b differs",
        ),
        ({}, {"role": "user"}, "item 1 (no type): type is message, planned was nothing"),
        (
            user_part(type="input_image", file_id="file-a"),
            user_part(type="input_image", file_id="file-b"),
            "item 1 (message by user): content 1 (input_image) file_id differs at character 5",
        ),
        (
            user_part(type="input_file", file_id="file-a"),
            user_part(type="input_file", filename="a.pdf"),
            "item 1 (message by user): content 1 (input_file) file_id differs (planned a string, found nothing)",
        ),
        (
            CALL,
            CALL | {"arguments": '{"a":1}'},
            "item 1 (function_call): arguments differs at character 1 (planned 2 characters, found 7)",
        ),
        (
            CODE,
            CODE | {"outputs": [{"type": "logs", "logs": "3"}]},
            "item 1 (code_interpreter_call): outputs 1 (logs) logs differs at character 0",
        ),
        (
            CODE,
            CODE | {"outputs": None},
            "item 1 (code_interpreter_call): outputs differs (planned 1: logs, found",
        ),
        (
            CODE | {"outputs": [1]},
            CODE | {"outputs": [2, 3, [4]]},
            "item 1 (code_interpreter_call): outputs 1 differs (planned 1, found 2)",
        ),
        (
            CODE | {"outputs": [1]},
            CODE | {"outputs": [1, {"type": ["odd"]}]},
            "item 1 (code_interpreter_call): outputs differs in number (planned 1, found 2)",
        ),
    ],
)
def test_a_difference_is_told_without_content(
    planned: dict[str, Any], found: dict[str, Any], text: str
) -> None:
    difference = compare_items([CALL, planned], [CALL, found])
    assert difference is not None
    assert difference.position == 1
    assert difference.text.startswith(text.replace("item 1 ", "item 2 "))
    assert difference.expected == canonical_item(planned)
    assert difference.found == canonical_item(found)


def texts(*text: str) -> list[dict[str, Any]]:
    """One message by the user for each word."""
    return [user_part(type="input_text", text=word) for word in text]


def text_of(planned: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    """The words for a difference that there is."""
    difference = compare_items(planned, found)
    assert difference is not None
    return difference.text


def test_a_missing_tail_is_a_difference() -> None:
    difference = compare_items([USER, ASSISTANT], [USER])
    assert difference is not None
    assert difference.text == (
        "item 2 (message by assistant) is missing: planned 2 items, found 1; 1 missing"
    )
    assert difference.found is None


def test_an_extra_tail_is_a_difference() -> None:
    difference = compare_items([USER], [USER, CALL, OUTPUT])
    assert difference is not None
    assert difference.text == "item 2 (function_call) was not planned: planned 1 item, found 3; 2 not planned"
    assert difference.expected is None


def test_items_missing_in_the_middle_are_told_as_missing_and_counted() -> None:
    assert text_of(texts(*"abcde"), texts(*"ade")) == (
        "item 2 (message by user) is missing: planned 5 items, found 3; 2 missing"
    )


def test_items_put_in_the_middle_are_told_as_not_planned_and_counted() -> None:
    assert text_of([USER, ASSISTANT], [USER, CALL, OUTPUT, ASSISTANT]) == (
        "item 2 (function_call) was not planned: planned 2 items, found 4; 2 not planned"
    )


def test_missing_and_unplanned_items_are_both_counted() -> None:
    assert text_of(texts(*"abcd"), texts(*"axd")) == (
        "item 2 (message by user): content 1 (input_text) text differs at character 0 "
        "(planned 1 characters, found 1); planned 4 items, found 3; 2 missing, 1 not planned"
    )


def test_an_item_missing_among_others_that_moved_is_counted() -> None:
    assert text_of(texts(*"abc"), texts(*"ca")).endswith("; planned 3 items, found 2; 1 missing")


def test_an_item_too_many_among_others_that_moved_is_counted() -> None:
    assert text_of(texts(*"ac"), texts(*"cba")).endswith("; planned 2 items, found 3; 1 not planned")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([ASSISTANT, USER], "item 1 (message by user) stands as item 2"),
        ([USER | {"id": "msg_2"}, OUTPUT, CALL, ASSISTANT], "item 2 (message by assistant) stands as item 4"),
    ],
)
def test_the_same_items_in_another_order_are_a_difference_that_says_so(
    found: list[dict[str, Any]], text: str
) -> None:
    planned = [USER, ASSISTANT, CALL, OUTPUT][: len(found)]
    assert text_of(planned, found) == f"all {len(found)} items are there, in another order; first: {text}"


def test_an_item_sent_twice_in_the_place_of_another_is_no_other_order() -> None:
    assert text_of(texts(*"aab"), texts(*"abb")) == (
        "item 2 (message by user): content 1 (input_text) text differs at character 0 "
        "(planned 1 characters, found 1)"
    )


def test_no_words_of_a_difference_hold_content() -> None:
    planned, secret = texts("first", "second", "third"), "tide-secret"
    for found in (planned[::-1], texts(secret), texts(secret, secret, secret, secret), planned[1:]):
        text = text_of(planned, found)
        assert not any(word in text for word in (secret, "third", "second"))


def as_planned(planned: list[dict[str, Any]], found: list[dict[str, Any]]) -> int:
    """How many items at the start are the same."""
    pairs = enumerate(zip(planned, found, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(planned), len(found)))


def test_pages_tell_the_same_as_the_whole_wherever_they_are_cut() -> None:
    planned = texts(*"abcdef")
    for found in (planned, texts(*"abdef"), texts(*"abXdef"), planned[::-1], [], texts(*"abcdefgh")):
        for size in (1, 2, 5):
            comparison = ItemsComparison(iter(planned))
            for start in range(0, len(found), size):
                comparison.see(found[start : start + size])
            assert comparison.difference() == compare_items(planned, found)
            assert (comparison.same, comparison.seen) == (as_planned(planned, found), len(found))


def test_a_comparison_says_so_far_how_many_items_are_there_and_as_planned() -> None:
    comparison = ItemsComparison(texts(*"abcd"))
    comparison.see(texts(*"ab"))
    assert (comparison.same, comparison.seen) == (2, 2)
    comparison.see(texts(*"xcd"))
    assert (comparison.same, comparison.seen) == (2, 5)


def test_a_difference_is_the_same_when_asked_for_again() -> None:
    comparison = ItemsComparison(texts(*"abc"))
    comparison.see(texts(*"ac"))
    assert comparison.difference() == comparison.difference() is not None


def test_a_comparison_counts_what_is_there_already() -> None:
    for planned, found, same in (
        ([USER, CALL, OUTPUT], [USER | {"id": "msg_1"}, CALL], 2),
        ([USER], [CALL], 0),
        ([USER], [USER, CALL], 1),
    ):
        comparison = ItemsComparison(planned)
        comparison.see(found)
        assert comparison.same == same


def test_fingerprint_depends_on_order_and_content() -> None:
    assert len({fingerprint(items) for items in ([], [USER], [CALL], [USER, CALL], [CALL, USER])}) == 5


def test_a_fingerprint_taken_part_by_part_is_that_of_the_whole() -> None:
    taken = Fingerprinting()
    assert taken.add([USER, CALL]) == fingerprint([USER, CALL])
    apart = taken.copy()
    assert taken.add(iter([OUTPUT])) == fingerprint([OUTPUT])
    assert taken.whole == fingerprint([USER, CALL, OUTPUT])
    assert apart.whole == fingerprint([USER, CALL])


def test_a_fingerprint_is_the_same_everywhere_and_every_year() -> None:
    assert fingerprint([USER]) == ("6ee1c77ec95ca81c6471e551ca46b4113dafd63549c40cfa2876f221c1f564d2")


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        (USER, ()),
        (OUTPUT, ()),
        (CODE, ("code_interpreter_call.outputs",)),
        ({"type": "file_search_call", "queries": ["tides"]}, ("file_search_call.results",)),
        (
            user_part(type="input_image", image_url="https://tides.example/a.png"),
            ("message.input_image.image_url",),
        ),
    ],
)
def test_reading_back_asks_for_what_servers_leave_out(item: dict[str, Any], wanted: tuple[str, ...]) -> None:
    assert read_back_includes([USER, item, item]) == wanted


def test_an_item_that_is_no_object_compares_without_an_exception() -> None:
    broken: Any = ["not an item"]
    assert compare_items([USER], broken) is not None


def test_what_is_planned_is_its_own_canonical_equal() -> None:
    for path in golden_files("threads"):
        plan = convert_thread(source_thread(json.loads(path.read_text(encoding="utf-8"))["source"]))
        items = [planned.item for planned in plan.items]
        assert compare_items(items, [item | {"id": "x"} for item in items]) is None
        assert [canonical_item(canonical_item(item)) for item in items] == [
            canonical_item(item) for item in items
        ]
