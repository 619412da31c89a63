from __future__ import annotations

from bench.pages.admin import table


def test_the_page_that_grows_most_and_the_slowest_are_judged() -> None:
    found = {
        "list": ([40.0, 42.0, 41.0], [41.0, 43.0, 42.0]),
        "search": ([10.0, 10.0, 30.0], [12.0, 12.0, 12.0]),
        "dashboard": ([70.0, 70.0, 70.0], [70.0, 71.0, 69.0]),
    }

    judged = {figure.goal.what: figure.verdict() for figure in table(found, 10, 50).goals() if figure.goal}

    assert judged == {
        "any admin page, 50 threads vs. 10": "≤ 1.10×: MISSED",
        "slowest admin page, 50 threads": "≤ 60.0 ms: MISSED",
    }
    assert [row[0] for row in table(found, 10, 50).rows] == [
        *found,
        "the page that grows most",
        "the slowest page",
    ]
    assert "(search)" in str(table(found, 10, 50).rows[3][-1])
    assert "(dashboard)" in str(table(found, 10, 50).rows[4][-1])
