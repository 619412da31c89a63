"""Two texts side by side: what is marked, what is folded, and that pages stay small."""

from __future__ import annotations

import pytest

from migration_app.conversion.comparison.word_diff import (
    SHOWN_CHARACTERS,
    SHOWN_ROWS,
    Piece,
    Row,
    TextDiff,
    text_diff,
)


def side(row: Row, name: str) -> str:
    pieces = row.left if name == "left" else row.right
    marks = {"same": "{}", "removed": "[-{}]", "added": "[+{}]"}
    return "".join(
        f"<{piece.hidden}>" if piece.hidden else marks[piece.kind].format(piece.text) for piece in pieces
    )


def changed(diff: TextDiff) -> list[tuple[str, str]]:
    return [(side(row, "left"), side(row, "right")) for row in diff.rows if row.changed]


def size(diff: TextDiff) -> int:
    return sum(len(piece.text) for row in diff.rows for piece in (*row.left, *row.right))


def numbered(count: int) -> list[str]:
    return [f"Rule {number}: name the tide of day {number}." for number in range(count)]


def test_equal_texts_do_not_differ() -> None:
    diff = text_diff("One.\nTwo.", "One.\nTwo.")
    assert (diff.is_same, diff.removed, diff.added) == (True, 0, 0)
    assert text_diff("", "").is_same


def test_words_are_marked_inside_a_changed_line() -> None:
    diff = text_diff("You are a kind clerk.", "You are a very kind clerk!")
    assert changed(diff) == [("You are a kind clerk[-.]", "You are a [+very ]kind clerk[+!]")]
    assert (diff.removed, diff.added) == (1, 6)


def test_a_line_that_came_stands_on_one_side() -> None:
    assert changed(text_diff("One.\nTwo.", "One.\nNew.\nTwo.")) == [("", "[+New.]")]
    assert changed(text_diff("One.\nGone.\nTwo.", "One.\nTwo.")) == [("[-Gone.]", "")]


def test_texts_with_little_in_common_are_shown_as_replaced() -> None:
    assert changed(text_diff("Name the tide at noon.", "Répondez toujours en français, merci")) == [
        ("[-Name the tide at noon.]", "[+Répondez toujours en français, merci]")
    ]


def test_unchanged_lines_are_folded_but_for_their_neighbours() -> None:
    before = numbered(100)
    after = [*before[:50], "Rule 50: name the moon of day 50.", *before[51:]]
    rows = text_diff("\n".join(before), "\n".join(after)).rows
    assert [row.folded for row in rows if row.folded] == [47, 46]
    assert len(rows) == 9


@pytest.mark.parametrize(("between", "folded"), [(6, []), (7, []), (8, [2])])
def test_a_single_unchanged_line_is_shown_and_not_folded(between: int, folded: list[int]) -> None:
    same = numbered(between)
    rows = text_diff("\n".join(["a", *same, "b"]), "\n".join(["c", *same, "d"])).rows
    assert [row.folded for row in rows if row.folded] == folded
    assert len(rows) == 2 + (between if not folded else 7)


def test_unchanged_words_of_a_long_line_are_folded() -> None:
    line = " ".join(numbered(500))
    diff = text_diff(line, line.replace("day 250.", "week 250."))
    ((left, right),) = changed(diff)
    assert "[-day]" in left
    assert "[+week]" in right
    assert left.startswith("<")
    assert size(diff) < 1_000


def test_a_long_unchanged_line_beside_a_change_is_cut() -> None:
    diff = text_diff("x" * 5_000 + "\nOne.", "x" * 5_000 + "\nTwo.")
    assert diff.rows[0].left == (Piece("same", "x" * 120), Piece("same", "", 4_880))


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_few_changes_among_many_common_words_are_found(separator: str) -> None:
    text = [f"w{number % 97}" for number in range(40_000)]
    other = list(text)
    for place in range(0, 40_000, 400):
        other[place] = "changed"
    diff = text_diff(separator.join(text), separator.join(other))
    assert diff.added == 700
    assert size(diff) < 4 * SHOWN_CHARACTERS


def test_texts_of_all_other_words_are_replaced_whole_and_cut() -> None:
    diff = text_diff("a b " * 64_000, "c d " * 64_000)
    ((left, right),) = changed(diff)
    assert left == f"[-{('a b ' * 64_000)[:SHOWN_CHARACTERS]}]<226000>"
    assert right.endswith("]<226000>")
    assert (diff.removed, diff.added) == (256_000, 256_000)


def test_many_more_changes_than_a_page_holds_are_counted() -> None:
    before = numbered(4_000)
    after = [line + " Always." if place % 3 == 0 else line for place, line in enumerate(before)]
    diff = text_diff("\n".join(before), "\n".join(after))
    assert len(diff.rows) <= SHOWN_ROWS + 6
    assert diff.more + len(changed(diff)) == 1_334


def test_a_page_ends_where_both_sides_have_shown_enough() -> None:
    diff = text_diff("\n".join(["a" * 40_000, "same", "b" * 10]), "\n".join(["c" * 40_000, "same", "d" * 10]))
    assert diff.more == 1
    assert (diff.removed, diff.added) == (40_010, 40_010)


def test_lines_in_another_order_are_found_by_those_that_stand_once() -> None:
    lines = numbered(2_000)
    diff = text_diff("\n".join(lines), "\n".join([*lines[1_000:], *lines[:1_000]]))
    assert diff.removed == diff.added
    assert not diff.is_same


def test_what_would_take_too_long_is_replaced() -> None:
    before = [f"{line} of {number}" for number in range(4_000) for line in range(number % 5 + 1)]
    after = [text for line in before for text in ([line, "new"] if line.startswith("0") else [line])]
    diff = text_diff("\n".join(before), "\n".join(after))
    assert diff.removed > 0
    assert size(diff) < 4 * SHOWN_CHARACTERS


def test_a_part_that_came_is_found_beside_a_change_far_away() -> None:
    before = numbered(900)
    after = [*before[:200], *(f"New rule {number}." for number in range(300)), *before[200:]]
    after[-2] = "Something else."
    diff = text_diff("\n".join(before), "\n".join(after))
    assert diff.removed < 50
    assert len(changed(diff)) == 2
