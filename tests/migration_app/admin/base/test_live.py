"""Live parts: the content of a page without what is around it, for htmx."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from migration_app.admin.base.live import Live
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import batch_made

HTMX = {"HX-Request": "true"}


def test_a_page_that_htmx_asks_for_has_its_content_and_nothing_around_it(log_in: LogIn) -> None:
    batch = batch_made(state="running")
    client = log_in("viewer")
    url = f"/admin/migration_app/batch/{batch.pk}/change/"
    whole, part = client.get(url), client.get(url, headers=HTMX)
    assert b'id="nav-sidebar"' in whole.content
    assert b"nav-sidebar" not in part.content
    assert b"<html" not in part.content
    assert b'id="batch-status"' in part.content


def test_a_live_part_needs_the_same_permission_as_its_page(log_in: LogIn) -> None:
    url = f"/admin/migration_app/batch/{batch_made().pk}/change/"
    assert log_in("newcomer").get(url, headers=HTMX).status_code == 403
    assert log_in("anonymous").get(url, headers=HTMX).status_code == 302


@pytest.mark.parametrize(("is_open", "state"), [(True, "open"), (False, "closed")])
def test_an_element_says_whether_it_is_worth_asking_again(is_open: bool, state: str) -> None:
    live = Live("batch-page", "/x/", is_open=is_open)
    html = render_to_string("migration_app/base/live.html", {"live": live})
    assert f'data-live="{state}"' in html
    assert 'id="batch-page"' in html
    assert 'hx-get="/x/"' in html
