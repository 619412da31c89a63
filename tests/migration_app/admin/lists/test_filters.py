from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import User

from migration_app.admin.base.filters import distinct_values
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, SavedFilter, Thread
from tests.guards import unguarded
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import assistant_made, thread_made

THREADS = "/admin/migration_app/thread/"
SHEET = f"{THREADS}list/filters/"
SAVED = f"{THREADS}list/saved/"


# --- chips and the sheet ------------------------------------------------------------------------------


def test_each_filter_is_a_chip_that_takes_it_away(log_in: LogIn) -> None:
    assistant = assistant_made(name="Helper")
    thread_made(status="needs_review", assistant=assistant, user_ref="q_user")
    query = {
        "status__exact": "needs_review",
        "assistant__id__exact": str(assistant.pk),
        "q": "q_user",
        "o": "show_id",
    }
    response = log_in("viewer").get(THREADS, query)
    chips = {chip.title: chip for chip in response.context["cl"].chips}
    assert {title: chip.value for title, chip in chips.items()} == {
        "search": "q_user",
        "status": "needs review",
        "assistant": "Helper",
    }
    assert chips["status"].url == f"?assistant__id__exact={assistant.pk}&o=show_id&q=q_user"
    assert "q=" not in chips["search"].url
    assert "status__exact" in chips["search"].url
    assert b"Clear all" in response.content


def test_a_list_without_filters_has_no_chips(log_in: LogIn) -> None:
    response = log_in("viewer").get(THREADS)
    assert response.context["cl"].chips == []
    assert b"Clear all" not in response.content


def test_what_filters_offer_comes_with_the_sheet_and_not_with_the_list(log_in: LogIn) -> None:
    assistant_made(name="Helper")
    thread_made(status="failed", error_code="quota_exceeded")
    client = log_in("viewer")
    assert "<option" not in client.get(THREADS).content.decode()
    sheet = client.get(
        SHEET, {"error_code__exact": "gone_by_now", "o": "show_id", "q": "thread"}
    ).content.decode()
    assert '<option value="quota_exceeded">' in sheet
    assert '<option value="gone_by_now" selected>' in sheet
    assert ">Helper</option>" in sheet
    assert '<input type="hidden" name="q" value="thread">' in sheet
    assert '<input type="hidden" name="o" value="show_id">' in sheet
    assert 'name="p"' not in sheet


def test_the_sheet_is_for_those_who_see_the_list(log_in: LogIn) -> None:
    assert log_in("newcomer").get(SHEET).status_code == 403
    assert log_in("anonymous").get(SHEET).status_code == 302


def test_the_sheet_of_filters_that_cannot_be_read_is_that_of_the_whole_list(log_in: LogIn) -> None:
    response = log_in("viewer").get(SHEET, {"assistant__id__exact": "abc"})
    assert response.status_code == 302
    assert response["Location"] == SHEET


# --- saved filters ------------------------------------------------------------------------------------


def save(client: object, name: str, query: str = "status__exact=failed", **fields: object) -> object:
    return client.post(SAVED, {"act": "save", "name": name, "query": query, **fields}, follow=True)  # type: ignore[attr-defined]


def test_a_person_keeps_a_filter_opens_it_renames_it_and_deletes_it(log_in: LogIn) -> None:
    client = log_in("viewer")
    failed = thread_made(status="failed")
    thread_made(status="verified")
    saved = client.post(
        SAVED, {"act": "save", "name": "Failed ones", "query": "status__exact=failed&p=3&below=7&o=-show_id"}
    )
    assert saved["Location"] == f"{THREADS}?o=-show_id&status__exact=failed"
    page = client.get(THREADS)
    (entry,) = page.context["saved_filters"]
    assert entry["url"] == "?o=-show_id&status__exact=failed"
    opened = client.get(THREADS + entry["url"])
    assert list(opened.context["cl"].result_list) == [failed]
    assert opened.context["saved_filters"][0]["is_open"]
    row = SavedFilter.objects.get()
    client.post(SAVED, {"act": "rename", "pk": row.pk, "name": "Broken", "query": ""})
    row.refresh_from_db()
    assert row.name == "Broken"
    client.post(SAVED, {"act": "delete", "pk": row.pk, "query": ""})
    assert not SavedFilter.objects.exists()


def test_filters_are_a_person_s_own(log_in: LogIn) -> None:
    save(log_in("operator"), "Mine")
    row = SavedFilter.objects.get()
    viewer = log_in("viewer")
    assert viewer.get(THREADS).context["saved_filters"] == []
    for act in ("rename", "delete"):
        viewer.post(SAVED, {"act": act, "pk": row.pk, "name": "Taken"})
    row.refresh_from_db()
    assert (row.name, row.user.get_username()) == ("Mine", "operator")


def test_filters_belong_to_their_list_and_go_with_their_person(log_in: LogIn) -> None:
    client = log_in("viewer")
    save(client, "Mine")
    assert client.get("/admin/migration_app/batch/").context["saved_filters"] == []
    User.objects.get(username="viewer").delete()
    assert not SavedFilter.objects.exists()


def test_only_what_the_list_offers_is_kept(log_in: LogIn) -> None:
    save(log_in("viewer"), "Odd", "status__exact=failed&user__password=x&next=https://evil.example&q=a%00b")
    assert SavedFilter.objects.get().query == "q=ab&status__exact=failed"


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("", "status__exact=failed", "Give the filter a name"),
        ("Mine", "", "set a filter first"),
        ("Mine", "user__password=x", "set a filter first"),
        ("Taken", "status__exact=failed", "already"),
        ("Long", "q=" + "x" * 3_000, "too long"),
        ("x" * 90, "status__exact=failed", "at most 80"),
    ],
)
def test_a_filter_that_cannot_be_kept_is_refused_with_the_reason(
    name: str, query: str, said: str, log_in: LogIn
) -> None:
    client = log_in("viewer")
    save(client, "Taken")
    response = save(client, name, query)
    assert said in response.content.decode()  # type: ignore[attr-defined]
    assert SavedFilter.objects.count() == 1


def test_hostile_names_and_acts_do_no_harm(log_in: LogIn) -> None:
    client = log_in("viewer")
    save(client, HOSTILE[:80])
    assert "<script>alert" not in client.get(THREADS).content.decode()
    for data in (
        {"act": "explode"},
        {"act": "delete", "pk": "9" * 30},
        {"act": "rename", "pk": "x", "name": "y"},
        {},
    ):
        assert client.post(SAVED, data).status_code == 302
    assert client.get(SAVED).status_code == 405
    assert SavedFilter.objects.count() == 1


def test_saved_filters_are_for_those_who_see_the_list(log_in: LogIn) -> None:
    assert log_in("newcomer").post(SAVED, {"act": "save", "name": "x", "query": "q=x"}).status_code == 403


# --- what filters offer and ask for -------------------------------------------------------------------


@pytest.mark.django_db
def test_every_value_of_a_column_is_offered_once_in_order_and_no_more_than_a_list_can_hold() -> None:
    for code in ("timeout", "", "difference", "timeout", "x"):
        thread_made(error_code=code)
    assert distinct_values(Thread, "error_code") == ["difference", "timeout", "x"]
    assert distinct_values(Thread, "error_code", 2) == ["difference", "timeout"]
    assert distinct_values(Thread, "user_ref") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("at_from=2026-03-02", ["2nd", "3rd"]),
        ("at_to=2026-03-02", ["1st", "2nd"]),
        ("at_from=2026-03-02&at_to=2026-03-02", ["2nd"]),
        ("at_from= 2026-03-03 ", ["3rd"]),
        ("at_to=9999-12-31", ["1st", "2nd", "3rd"]),
    ],
)
def test_a_span_of_days_holds_both_of_its_ends(query: str, found: list[str], log_in: LogIn) -> None:
    for day, name in ((1, "1st"), (2, "2nd"), (3, "3rd")):
        audit_record(actor=Actor(name), verb="batch.changed", subject_kind="batch", subject_id="1")
        with unguarded(AuditEvent):
            moment = dt.datetime(2026, 3, day, 23, 59, 59, tzinfo=dt.UTC)
            AuditEvent.objects.filter(actor=name).update(at=moment)
    page = log_in("viewer").get(f"/admin/migration_app/auditevent/?{query}")
    assert sorted(row.actor for row in page.context["cl"].result_list) == found
