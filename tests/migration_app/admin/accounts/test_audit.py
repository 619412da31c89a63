from __future__ import annotations

from collections.abc import Callable
from typing import Any

from migration_app.models import AuditEvent
from tests.migration_app.admin.conftest import HOSTILE, LogIn

LIST = "/admin/migration_app/auditevent/"


def event(**fields: Any) -> AuditEvent:
    return AuditEvent.objects.create(
        **{
            "actor": "ada",
            "verb": "thread.queued",
            "subject_kind": "thread",
            "subject_id": "thread_a",
            **fields,
        }
    )


def test_the_search_finds_by_exact_subject(log_in: LogIn) -> None:
    event()
    event(subject_id="thread_ab")
    page = log_in("viewer").get(LIST, {"q": "thread_a"})
    assert [row.subject_id for row in page.context["cl"].result_list] == ["thread_a"]


def test_it_is_filtered_by_verb_day_and_batch(log_in: LogIn) -> None:
    client = log_in("viewer")
    event(verb="batch.finished", batch_pk=7)
    old = event()
    for query in ({"verb__exact": "batch.finished"}, {"batch_pk__exact": "7"}):
        assert [row.verb for row in client.get(LIST, query).context["cl"].result_list] == ["batch.finished"]
    day = {"at_from": f"{old.at:%Y-%m-%d}", "at_to": ""}
    assert len(client.get(LIST, day).context["cl"].result_list) == 2
    assert len(client.get(LIST, {"at_to": f"{old.at:%Y-%m-%d}"}).context["cl"].result_list) == 2
    assert len(client.get(LIST, {"at_from": "2999-01-01", "at_to": ""}).context["cl"].result_list) == 0
    assert len(client.get(LIST, {"at_to": "1999-01-01"}).context["cl"].result_list) == 0


def test_a_day_that_cannot_be_read_leads_back_to_the_list(log_in: LogIn) -> None:
    assert log_in("viewer").get(LIST, {"at_from": "yesterday"}).status_code == 302


def test_the_verbs_that_occur_are_offered(log_in: LogIn) -> None:
    event(verb="b.second")
    event(verb="a.first")
    event(verb="a.first")
    page = log_in("viewer").get(f"{LIST}list/filters/").content.decode()
    assert page.index('value="a.first"') < page.index('value="b.second"')
    assert page.count('value="a.first"') == 1


def test_hostile_words_are_escaped(log_in: LogIn) -> None:
    row = event(actor=HOSTILE, subject_id=HOSTILE, reason=HOSTILE, before=HOSTILE[:60], after=HOSTILE[:60])
    client = log_in("viewer")
    for url in (LIST, f"{LIST}{row.pk}/change/", "/admin/"):
        assert "<script>alert(" not in client.get(url).content.decode()


def test_the_list_takes_as_many_queries_for_a_full_page_as_for_one_row(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for number in range(120):
        event(subject_id=f"thread_{number}")
    with django_assert_max_num_queries(11):
        client.get(LIST)
