"""What is sent instead of items that the target refuses."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.contracts import PlannedItem, Policies, Replacement, ThreadPlan
from migration_app.conversion.fallbacks import apply_replacements, partners_of
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import assert_acceptable, codes, thread_of

CITATION = {"type": "file_citation", "file_id": "file-a", "filename": "a.pdf", "index": 0}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "06:12"}


def planned(item: dict[str, Any], source_id: str = "msg_1", group: int = 0) -> PlannedItem:
    """An item as a plan holds it."""
    return PlannedItem(item, "step" if "call_id" in item else "message", source_id, group)


def by_user(*parts: dict[str, Any]) -> PlannedItem:
    """A user's message."""
    return planned({"type": "message", "role": "user", "content": list(parts)})


def by_assistant(*parts: dict[str, Any], status: str = "completed") -> PlannedItem:
    """An assistant's message."""
    return planned({"type": "message", "role": "assistant", "status": status, "content": list(parts)})


def said(text: str, **more: Any) -> dict[str, Any]:
    """A text part of the assistant."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []} | more


def asked(text: str) -> dict[str, Any]:
    """A text part of the user."""
    return {"type": "input_text", "text": text}


def sent_instead(item: PlannedItem, level: int) -> PlannedItem | None:
    """What is sent instead of a refused item; None when that level has nothing left to try."""
    plan = replaced(plan_of(item), level, 0)
    return None if codes(plan.findings) == ["item_refused"] else plan.items[0]


def ladder(item: PlannedItem) -> list[list[str]]:
    """The texts of every fallback, level by level."""
    levels: list[list[str]] = []
    while (only := sent_instead(item, len(levels))) is not None:
        assert (only.source_kind, only.source_id, only.group) == (
            item.source_kind,
            item.source_id,
            item.group,
        )
        assert_acceptable([only.item])
        levels.append([part["text"] for part in only.item["content"]])
    return levels


def plan_of(*items: PlannedItem) -> ThreadPlan:
    """A plan of these items."""
    return ThreadPlan("thread_mill", {}, items, ())


def replaced(plan: ThreadPlan, level: int, *positions: int) -> ThreadPlan:
    """The plan with these positions refused."""
    return apply_replacements(plan, {at: Replacement(at, level) for at in positions})


USER_STUB = "[migrated: message by user, refused by the target; the console holds it as msg_1]"
ASSISTANT_STUB = "[migrated: message by assistant, refused by the target; the console holds it as msg_1]"


def test_images_and_files_fall_back_to_their_names_then_to_one_text() -> None:
    picture = {"type": "input_image", "file_id": "file-p", "detail": "auto"}
    linked = {"type": "input_image", "image_url": "https://tides.example/a.png", "detail": "low"}
    message = by_user(asked("Look:"), picture, linked, {"type": "input_file", "file_id": "file-a"})
    simple = [
        "Look:",
        "[migrated: image file-p]",
        "[migrated: image at https://tides.example/a.png]",
        "[migrated: attached file file-a]",
    ]
    assert ladder(message) == [simple, ["\n\n".join(simple)], [USER_STUB]]


CITED = "[migrated: cited file file-a (a.pdf), at offset {}]"


def test_annotations_and_refusals_fall_back_to_their_text() -> None:
    message = by_assistant(
        said("See【a】", annotations=[CITATION | {"index": 3}]), {"type": "refusal", "refusal": "No."}
    )
    assert ladder(message) == [
        ["See【a】", CITED.format(3), "No."],
        [f"See【a】\n\n{CITED.format(3)}\n\nNo."],
        [ASSISTANT_STUB],
    ]


def test_every_citation_has_its_line_behind_the_text_that_it_belongs_to() -> None:
    address = {
        "type": "url_citation",
        "url": "https://tides.example/may",
        "title": "Tides [May]",
        "start_index": 4,
        "end_index": 7,
    }
    untitled = address | {"title": address["url"]}
    path = {"type": "file_path", "file_id": "file-t", "index": 0}
    message = by_assistant(
        said("High【1】", annotations=[address, untitled]), said("CSV", annotations=[path])
    )
    assert ladder(message)[0] == [
        "High【1】",
        (
            '[migrated: cited address https://tides.example/may ("Tides [May]"), at offsets 4 to 7]\n'
            "[migrated: cited address https://tides.example/may, at offsets 4 to 7]"
        ),
        "CSV",
        "[migrated: linked file file-t, at offset 0]",
    ]


def test_in_one_text_the_offsets_of_citations_count_from_its_beginning() -> None:
    first = said("One【a】", annotations=[CITATION | {"index": 3}])
    address = {
        "type": "url_citation",
        "url": "https://t.example/",
        "title": "T",
        "start_index": 4,
        "end_index": 7,
    }
    (text,) = ladder(by_assistant(first, said("Two 【b】", annotations=[address])))[1]
    start = text.index("【b】")
    assert CITED.format(text.index("【a】")) in text
    assert f"[migrated: cited address https://t.example/ (T), at offsets {start} to {start + 3}]" in text


@pytest.mark.parametrize(
    ("annotations", "named", "left"),
    [
        ([CITATION] * 100, 100, 0),
        ([CITATION] * 103, 100, 3),
        ([CITATION | {"filename": "a" * 3000}, CITATION], 1, 1),
    ],
)
def test_the_lines_for_citations_are_bounded_and_the_rest_is_counted(
    annotations: list[dict[str, Any]], named: int, left: int
) -> None:
    message = by_assistant(said("See", annotations=annotations))
    more = [f"[migrated: citations not named here: {left}; the console holds them]"] if left else []
    assert ladder(message)[0][1].split("\n") == [CITED.format(0)] * named + more
    code = "item_refused_replaced" if left else "item_refused_reshaped"
    assert [codes(replaced(plan_of(message), level, 0).findings) for level in (0, 1)] == [[code], [code]]


def test_rungs_that_change_nothing_are_left_out() -> None:
    assert ladder(by_user(asked("Hi."))) == [[USER_STUB]]
    assert ladder(by_assistant(said("Hi."))) == [[ASSISTANT_STUB]]
    assert ladder(by_user(asked("Hi."), asked("Ho."))) == [["Hi.\n\nHo."], [USER_STUB]]


def test_one_text_loses_status_and_control_characters() -> None:
    message = by_assistant(said("a\x00b\n"), status="incomplete")
    sent = sent_instead(message, 0)
    assert sent is not None
    assert sent.item == {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [said("a\ufffdb\n")],
    }


def test_a_developer_message_falls_back_to_the_assistant() -> None:
    note = {"type": "message", "role": "developer", "content": [asked("[migrated: an image]")]}
    sent = sent_instead(planned(note), 0)
    assert sent is not None
    assert sent.item["role"] == "assistant"
    assert ladder(planned(note))[0] == ["[migrated: an image]"]


def test_a_call_and_its_output_fall_back_to_notes_and_lines() -> None:
    assert ladder(planned(CALL, "step_1")) == [
        ["[migrated: function_call call call_1]\nname (1 character):\nf\narguments (2 characters):\n{}"],
        ["[migrated: function_call, refused by the target; the console holds it as step_1]"],
    ]
    assert ladder(planned(OUTPUT, "step_1")) == [
        ["[migrated: function_call_output call call_1]\noutput (5 characters):\n06:12"],
        ["[migrated: function_call_output, refused by the target; the console holds it as step_1]"],
    ]


def test_native_calls_fall_back_to_notes() -> None:
    native = {"type": "file_search_call", "status": "completed", "queries": ["tides"]}
    assert ladder(planned(native))[0] == [
        '[migrated: file_search_call call]\nqueries as JSON (9 characters):\n["tides"]'
    ]


def test_partners_are_a_call_and_its_output() -> None:
    items = [by_user(asked("Hi.")), planned(CALL), planned(OUTPUT), planned(CALL | {"call_id": "call_2"})]
    assert [partners_of(items, at) for at in range(3)] == [(0,), (1, 2), (1, 2)]


def test_no_replacements_leave_the_plan_alone() -> None:
    plan = plan_of(by_user(asked("Hi.")))
    assert apply_replacements(plan, {}) is plan


@pytest.mark.parametrize("position", [1, 2])
def test_replacing_one_of_a_pair_replaces_both(position: int) -> None:
    plan = replaced(plan_of(by_user(asked("Hi.")), planned(CALL), planned(OUTPUT)), 0, position)
    assert [entry.item["type"] for entry in plan.items] == ["message"] * 3
    assert codes(plan.findings) == ["item_refused_reshaped"] * 2
    assert [finding.place for finding in plan.findings] == ["items[1]", "items[2]"]


def test_one_of_a_pair_that_is_refused_takes_the_other_along() -> None:
    plan = plan_of(planned(CALL), planned(OUTPUT))
    both = apply_replacements(plan, {1: Replacement(1, 1)})
    assert codes(both.findings) == ["item_refused_replaced"] * 2


def test_notes_of_a_pair_go_on_apart_since_one_of_them_may_have_been_sent() -> None:
    plan = plan_of(planned(CALL), planned(OUTPUT))
    sent = apply_replacements(plan, {0: Replacement(0, 0), 1: Replacement(1, 0)})
    later = apply_replacements(plan, {0: Replacement(0, 0), 1: Replacement(1, 1)})
    assert later.items[0] == sent.items[0]
    assert later.items[1] != sent.items[1]


def test_findings_say_what_was_lost() -> None:
    message = by_user(asked("Look:"), {"type": "input_file", "file_id": "file-a"})
    plan = apply_replacements(plan_of(message), {0: Replacement(0, 0)})
    (finding,) = plan.findings
    assert (finding.code, finding.source_id, finding.place) == ("item_refused_replaced", "msg_1", "items[0]")
    assert finding.text == (
        "Item 1 (message by user) is sent with texts only: its citations, images and files named, "
        "because the target refused it."
    )


def test_a_message_cut_short_that_is_sent_as_completed_has_lost_something() -> None:
    plan = plan_of(by_assistant(said("At"), said("six"), status="incomplete"))
    assert codes(replaced(plan, 0, 0).findings) == ["item_refused_replaced"]


def test_a_message_whose_texts_are_joined_is_only_reshaped() -> None:
    assert codes(replaced(plan_of(by_user(asked("Hi."), asked("Ho."))), 0, 0).findings) == [
        "item_refused_reshaped"
    ]


def test_without_a_fallback_left_the_thread_is_blocked() -> None:
    plan = plan_of(by_user(asked("Hi.")))
    blocked = apply_replacements(plan, {0: Replacement(0, 1)})
    assert blocked.items == plan.items
    assert blocked.fidelity == "blocked"
    assert codes(blocked.findings) == ["item_refused"]


@pytest.mark.parametrize("position", [-1, 1])
def test_a_place_that_the_plan_has_not_is_an_error(position: int) -> None:
    with pytest.raises(ValueError, match="There is no item at"):
        replaced(plan_of(by_user(asked("Hi."))), 0, position)


def test_a_native_call_that_is_refused_is_no_longer_said_to_be_carried_as_one() -> None:
    calls = [
        {
            "id": f"call_{number}",
            "type": "code_interpreter",
            "container_id": f"cntr_{number}",
            "code_interpreter": {"input": f"print({number})", "outputs": []},
        }
        for number in (1, 2)
    ]
    details = {"type": "tool_calls", "tool_calls": calls}
    step = {"id": "step_1", "type": "tool_calls", "created_at": 5, "step_details": details}
    plan = convert_thread(thread_of(steps=[step]), Policies(code_interpreter="native"))
    assert [code for code in codes(plan.findings) if "native" in code] == ["code_interpreter_native"] * 2
    refused = apply_replacements(plan, {1: Replacement(1, 0)})
    (native,) = (finding for finding in refused.findings if finding.code == "code_interpreter_native")
    assert "cntr_1" in native.text
    assert codes(refused.findings)[-1] == "item_refused_reshaped"
