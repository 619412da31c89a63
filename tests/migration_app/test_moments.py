from __future__ import annotations

import datetime as dt

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template

from migration_app.moments import moment_html, moment_text, zone_middleware, zone_name

WHEN = dt.datetime(2026, 7, 26, 22, 30, 5, tzinfo=dt.UTC)


def shown_in(cookie: str) -> str:
    request = HttpRequest()
    request.COOKIES["zone"] = cookie
    answer = zone_middleware(lambda _request: HttpResponse(f"{moment_html(WHEN)} {zone_name()}"))(request)
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def test_a_moment_is_shown_in_the_viewer_s_zone_with_utc_in_its_title() -> None:
    assert shown_in("Europe/Berlin") == (
        '<time class="mc-nowrap" datetime="2026-07-26T22:30:05Z" title="2026-07-26 22:30:05 UTC">'
        "2026-07-27 00:30:05</time> Europe/Berlin"
    )


@pytest.mark.parametrize(
    "cookie", ["", "Nowhere/Else", "../../etc/passwd", "/etc/localtime", "x" * 500, "\x00", "é"]
)
def test_a_zone_that_there_is_not_means_utc(cookie: str) -> None:
    assert "22:30:05</time> UTC" in shown_in(cookie)


def test_nothing_is_left_of_a_zone_after_its_request() -> None:
    shown_in("Asia/Tokyo")
    assert moment_text(WHEN) == "2026-07-26 22:30:05"


def test_no_moment_is_a_dash_and_templates_need_no_load() -> None:
    page = Template("{{ none|moment }} {{ when|moment_minutes }}").render(
        Context({"none": None, "when": WHEN})
    )
    assert page.startswith("– <time")
    assert page.endswith("22:30</time>")
