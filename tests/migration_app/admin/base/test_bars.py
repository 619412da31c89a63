from __future__ import annotations

from migration_app.admin.base.bars import Segment, bar_html, bar_of


def test_a_bar_has_the_parts_that_are_not_empty_with_their_shares() -> None:
    bar = bar_of([Segment("verified", 3, "good"), Segment("failed", 0, "trouble"), Segment("<b>", 1, "done")])
    assert [(segment.label, segment.percent) for segment in bar.segments] == [
        ("verified", "75.00"),
        ("<b>", "25.00"),
    ]
    assert bar.text == "3 verified, 1 <b>"
    html = bar_html(bar)
    assert 'aria-label="3 verified, 1 &lt;b&gt;"' in html
    assert "width: 75.00%" in html


def test_a_bar_of_nothing_says_so() -> None:
    assert 'aria-label="nothing yet"' in bar_html(bar_of([]))
