"""The pages of the review queue, as each role sees them, and what their buttons do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.operation.sidebar import review_badge
from migration_app.admin.review import pages
from migration_app.models import AuditEvent, Batch, ReviewCase, ReviewReading, Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn, MakeThread
from tests.migration_app.admin.review.conftest import page_url
from tests.migration_app.review.conftest import InReview

QUEUE = "/admin/review/"


@pytest.mark.parametrize(
    "address", [QUEUE, f"{QUEUE}?code=difference", f"{QUEUE}1/", f"{QUEUE}decide/accept/?code=x"]
)
def test_strangers_sign_in_and_people_without_a_role_see_nothing(address: str, log_in: LogIn) -> None:
    assert log_in("anonymous").get(address).status_code == 302
    assert log_in("newcomer").get(address).status_code == 403


def test_a_viewer_sees_the_queue_and_can_do_nothing(log_in: LogIn, in_review: InReview) -> None:
    case, client = in_review("difference"), log_in("viewer")
    page = client.get(QUEUE).content.decode()
    assert "Conversation differs" in page
    assert "Assign next" not in page
    assert client.get(page_url(case)).status_code == 200
    for address in (
        reverse("review_take") + "?code=difference",
        reverse("review_decide", args=[case.pk, "verify"]),
        reverse("review_assign", args=[case.pk]),
        reverse("review_read", args=[case.pk]),
    ):
        assert client.post(address).status_code == 403
        assert client.get(address).status_code == 302  # to the page with the form
    assert client.get(reverse("review_decide_group", args=["accept"]) + "?code=difference").status_code == 403


def test_groups_are_shown_by_section_and_growth_apart_from_differences(
    log_in: LogIn, in_review: InReview
) -> None:
    for code in ("difference", "source_grown", "accepted_source_grown", "not_deleted"):
        in_review(code)
    sections = log_in("viewer").get(QUEUE).context["sections"]
    assert [[row["group"].reason.code for row in section["groups"]] for section in sections] == [
        ["difference"],
        ["accepted_source_grown", "source_grown"],
        ["not_deleted"],
    ]


def test_an_address_with_a_reason_shows_its_threads_oldest_first(log_in: LogIn, in_review: InReview) -> None:
    young, old = in_review("difference", hours=1), in_review("difference", hours=9)
    in_review("source_grown")
    response = log_in("viewer").get(QUEUE, {"code": "difference"})
    assert [case.pk for case, *_rest in response.context["cases"]] == [old.pk, young.pk]


def test_filters_that_mean_nothing_are_said_and_shown_again(log_in: LogIn) -> None:
    response = log_in("viewer").get(QUEUE, {"assistant": "nobody knows", "batch": "x", "who": "17"})
    assert response.status_code == 400
    assert "There is no assistant with this id or name." in response.content.decode()


def test_failed_and_blocked_threads_lead_to_their_lists(log_in: LogIn, make_thread: MakeThread) -> None:
    make_thread("hi", status="failed", error_code="rate_limited")
    page = log_in("viewer").get(QUEUE).content.decode()
    assert "status__exact=failed&amp;error_code__exact=rate_limited" in page


def test_the_queue_takes_no_more_queries_for_many_threads(
    log_in: LogIn, in_review: InReview, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("operator")
    for _ in range(30):
        in_review("difference")
    with django_assert_max_num_queries(16):
        client.get(QUEUE, {"code": "difference"})


def test_three_columns_show_what_differs_within_the_text(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread = differing("one", "two but other", "three", planned=("one", "two", "three"))
    response = log_in("operator").get(page_url(thread))
    rows = [row for stretch in response.context["compared"].columns.stretches for row in stretch.rows]
    assert [(row.state, row.difference) for row in rows] == [("equal", 0), ("changed", 1), ("equal", 0)]
    assert "<ins>" in response.content.decode()
    assert rows[1].source.parts[0].text == "two"


def test_without_the_permission_the_columns_have_no_content(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread = differing("one", "a secret answer", "three", planned=("one", "the secret plan", "three"))
    page = log_in("viewer").get(page_url(thread)).content.decode()
    assert "secret" not in page
    assert "not their content" in page
    assert "1 difference" in page
    assert not AuditEvent.objects.exists()


def test_each_view_of_content_is_audited(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    thread = differing("one", "two", "3")
    log_in("operator").get(page_url(thread))
    event = AuditEvent.objects.get()
    assert (event.verb, event.subject_id, event.reason) == (
        "thread.content_viewed",
        thread.thread_id,
        "review, items 1–3",
    )


def test_hostile_content_of_the_target_is_harmless(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    page = log_in("operator").get(page_url(differing("one", HOSTILE, HOSTILE, HOSTILE))).content.decode()
    assert "<script>alert(" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("texts", "kinds"),
    [
        (("one", "two", "three", "more"), ["accept", "remigrate", "verify", "exclude"]),
        (("one", "other", "three"), ["remigrate", "verify", "exclude"]),
        (("one", "two"), ["remigrate", "verify", "exclude"]),
        (("one", "two", "three"), ["verify", "remigrate", "accept", "exclude"]),
    ],
    ids=["continued", "changed", "missing", "equal by now"],
)
def test_the_recommended_action_follows_what_was_read(
    texts: tuple[str, ...], kinds: list[str], log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    offers = log_in("superuser").get(page_url(differing(*texts))).context["offers"]
    assert [offer["kind"].name for offer in offers if offer["kind"].name != "rollback"] == kinds


def test_nothing_is_offered_to_roll_back_where_nothing_was_sent(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("hi", status="needs_review", error_code="started_over_too_often")
    offers = log_in("superuser").get(page_url(thread)).context["offers"]
    assert [offer["kind"].name for offer in offers] == ["retry", "exclude"]


def test_deciding_starts_a_batch_and_opens_the_next(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    first, second = (differing("one", "two", "three", "more") for _ in range(2))
    client = log_in("operator")
    url = reverse("review_decide", args=[first.pk, "accept"]) + "?code=difference"
    response = client.post(url, {"text": "Ada said so."})
    assert response["Location"] == page_url(second, "?code=difference")
    batch = Batch.objects.get()
    assert (batch.kind, batch.filter, batch.created_by_name) == ("accept", {"ids": [first.pk]}, "operator")
    assert batch.reason.endswith("wanted. Ada said so.")
    assert Thread.objects.get(pk=first.pk).pending_work == "accept"
    response = client.post(reverse("review_decide", args=[second.pk, "accept"]) + "?code=difference")
    assert response["Location"] == QUEUE


def test_a_decision_lowers_the_badge_at_once(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    first, _second = (differing("one", "two", "three", "more") for _ in range(2))
    client = log_in("operator")
    assert review_badge(client.get(QUEUE).wsgi_request) == "2"
    client.post(reverse("review_decide", args=[first.pk, "accept"]) + "?code=difference")
    assert review_badge(client.get(QUEUE).wsgi_request) == "1"


def test_only_reasons_that_fit_what_can_be_decided_are_offered(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread, client = differing("one", "two", "three", "more", code="conversation_continued"), log_in("admin")
    case = client.get(page_url(thread)).context["decision"]
    assert "growth_wanted" in dict(case.fields["template"].choices)  # for Re-migrate
    assert "conversation_lost" in dict(case.fields["template"].choices)
    assert "cause_removed" in dict(case.fields["template"].choices)  # for Verify
    url = reverse("review_decide_group", args=["accept"]) + "?code=conversation_continued"
    group = client.get(url).context["decision"]
    assert [name for name, _text in group.fields["template"].choices] == [
        "",
        "application_continued",
        "growth_not_needed",
        "checked",
        "none",
    ]
    assert client.post(url, {"template": "conversation_lost"}).status_code == 400


def test_keys_of_actions_that_a_person_may_not_take_are_not_listed_and_say_so(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread = differing("one", "two", "three", "more")
    listed = "<dt><kbd>b</kbd></dt>"
    page = log_in("operator").get(page_url(thread)).content.decode()
    assert listed not in page
    assert 'disabled data-key="b" data-refused="Roll back: you may not do this.' in page
    assert listed in log_in("admin").get(page_url(thread)).content.decode()


def test_what_changes_the_mapping_or_deletes_must_be_confirmed(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread, client = differing("one", "other"), log_in("operator")
    url = reverse("review_decide", args=[thread.pk, "remigrate"])
    client.post(url)
    assert not Batch.objects.exists()
    client.post(url, {"confirmed": "1"})
    assert Batch.objects.get().settings["policies"]


def test_a_roll_back_says_before_that_a_second_person_must_approve_it(
    log_in: LogIn, differing: Callable[..., Thread], settings: Settings
) -> None:
    thread, client = differing("one", "other"), log_in("admin")
    assert "A second person must approve" not in client.get(page_url(thread)).content.decode()
    settings.APPROVAL_ABOVE_THREADS = 0
    assert "A second person must approve" in client.get(page_url(thread)).content.decode()
    client.post(reverse("review_decide", args=[thread.pk, "rollback"]), {"confirmed": "1"})
    batch = Batch.objects.get()
    assert batch.state == "waiting"
    page = client.get(page_url(thread)).content.decode()
    assert f">Batch {batch.pk}</a> for this thread waits" in page
    settings.APPROVAL_ABOVE_THREADS = 1
    differing("one", "other")
    differing("one", "other")
    group = client.get(
        reverse("review_decide_group", args=["rollback"]) + "?code=difference"
    ).content.decode()
    assert "A second person must approve" in group


def test_growth_is_not_appended_where_the_conversation_was_continued(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread = differing("one", "two", "three", "more", code="source_grown")
    offers = log_in("operator").get(page_url(thread)).context["offers"]
    assert offers[0]["kind"].name == "remigrate"


def test_an_action_needs_its_own_permission_too(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    thread = differing("one")
    response = log_in("operator").post(
        reverse("review_decide", args=[thread.pk, "rollback"]), {"confirmed": "1"}
    )
    assert response.status_code == 403


def test_a_thread_that_somebody_has_decided_about_says_so(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread, client = differing("one", "two", "three", "more"), log_in("operator")
    url = reverse("review_decide", args=[thread.pk, "accept"])
    client.post(url)
    client.post(url)
    assert Batch.objects.count() == 1
    page = client.get(page_url(thread)).content.decode()
    assert "It is decided" in page
    Thread.objects.filter(pk=thread.pk).update(status="verified", pending_work="")
    assert (
        client.get(page_url(thread), follow=True)
        .redirect_chain[-1][0]
        .endswith(f"/thread/{thread.pk}/change/")
    )
    assert client.post(url, follow=True).status_code == 200


def test_a_thread_is_taken_assigned_and_released(
    log_in: LogIn, in_review: InReview, reviewer: Callable[[str], User]
) -> None:
    bea, case, client = reviewer("bea"), in_review(), log_in("operator")
    url = reverse("review_assign", args=[case.pk])
    client.post(url, {"person": bea.pk})
    assert ReviewCase.objects.get().person == bea
    client.post(url, {"person": "", "seen": bea.pk})
    assert ReviewCase.objects.get().person is None
    client.post(reverse("review_take") + "?code=difference")
    assert ReviewCase.objects.get().person == User.objects.get(username="operator")
    page = client.get(QUEUE, {"code": "difference", "who": "me"})
    assert [found.pk for found, *_rest in page.context["cases"]] == [case.pk]


def test_a_decision_about_a_group_shows_sum_and_consequence_first(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    for _ in range(3):
        differing("one", "two", "three", "more")
    differing("one", code="plan_changed")
    client = log_in("operator")
    url = reverse("review_decide_group", args=["accept"]) + "?code=difference"
    response = client.get(url)
    assert response.context["taken"] == 3
    assert "Nothing is sent." in response.content.decode()
    assert not Batch.objects.exists()
    response = client.post(url, {"template": "application_continued"})
    batch = Batch.objects.get()
    assert response["Location"].endswith(f"/batch/{batch.pk}/change/")
    assert batch.filter["filters"] == {"status__exact": "needs_review", "error_code__exact": "difference"}
    assert batch.state == "preparing"


def test_read_again_asks_a_worker(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    thread, client = differing("one"), log_in("operator")
    client.post(reverse("review_read", args=[thread.pk]))
    assert ReviewReading.objects.get().state == "queued"
    page = client.get(page_url(thread))
    assert page.context["is_reading"]
    assert "waits for a worker to read it" in page.content.decode()
    state = client.get(reverse("review_reading", args=[thread.pk])).content.decode()
    assert 'data-live="open"' in state


def test_the_thread_page_leads_to_the_review(log_in: LogIn, differing: Callable[..., Thread]) -> None:
    thread, client = differing("one"), log_in("viewer")
    ReviewCase.objects.update(person=User.objects.get(username="viewer"))
    page = client.get(reverse("admin:migration_app_thread_change", args=[thread.pk])).content.decode()
    assert f'href="{page_url(thread)}"' in page
    assert "assigned to <bdi>viewer</bdi>" in page


def said(client: Client, method: str, address: str, data: dict[str, Any] | None = None) -> str:
    return str(getattr(client, method)(address, data or {}, follow=True).content.decode())


def test_the_first_thread_of_a_group_is_its_oldest_and_an_empty_group_says_so(
    log_in: LogIn, in_review: InReview
) -> None:
    in_review("difference", hours=1)
    old, client = in_review("difference", hours=9), log_in("operator")
    first = reverse("review_first")
    assert client.get(f"{first}?code=difference")["Location"] == page_url(old, "?code=difference")
    assert client.get(f"{first}?code=not_deleted")["Location"] == QUEUE
    assert "Nothing of this group waits any more." in said(client, "get", f"{first}?code=not_deleted")


def test_a_group_is_paged_behind_the_last_thread_of_a_page(
    log_in: LogIn, in_review: InReview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_ROWS_A_PAGE", 2)
    cases = [in_review("difference", hours=9 - number) for number in range(5)]
    client = log_in("viewer")

    def shown(query: str) -> list[int]:
        return [case.pk for case, *_rest in client.get(f"{QUEUE}{query}").context["cases"]]

    assert shown("?code=difference") == [case.pk for case in cases[:2]]
    assert shown(f"?code=difference&after={cases[1].pk}") == [case.pk for case in cases[2:4]]
    assert shown(f"?code=difference&after={cases[3].pk}") == [cases[4].pk]
    more = client.get(f"{QUEUE}?code=difference").content.decode()
    assert f"after={cases[1].pk}" in more
    for nothing in ("x", "987654", "9" * 30):
        assert shown(f"?code=difference&after={nothing}") == [case.pk for case in cases[:2]]


def test_threads_of_one_moment_are_paged_by_their_keys(
    log_in: LogIn, in_review: InReview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_ROWS_A_PAGE", 2)
    cases = [in_review("difference") for _ in range(3)]
    ReviewCase.objects.update(entered_at=cases[0].entered_at)
    page = log_in("viewer").get(f"{QUEUE}?code=difference&after={cases[1].pk}")
    assert [case.pk for case, *_rest in page.context["cases"]] == [cases[2].pk]


def test_a_thread_that_is_not_in_review_leads_to_its_page_and_says_so(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread, client = make_thread("hi"), log_in("operator")
    assert f"Thread {thread.thread_id} is not in review." in said(client, "get", page_url(thread))
    assert client.get(f"{QUEUE}987654/").status_code == 404


def test_unknown_actions_are_not_found(log_in: LogIn, in_review: InReview) -> None:
    case, client = in_review("difference"), log_in("admin")
    assert client.post(reverse("review_decide", args=[case.pk, "explode"])).status_code == 404
    assert (
        client.get(reverse("review_decide_group", args=["explode"]) + "?code=difference").status_code == 404
    )
    assert client.get(reverse("review_decide_group", args=["accept"])).status_code == 404


def test_the_last_decision_of_a_group_leads_back_to_the_queue(
    log_in: LogIn, differing: Callable[..., Thread]
) -> None:
    thread, client = differing("one", "two", "three", "more"), log_in("operator")
    page = client.post(reverse("review_decide", args=[thread.pk, "accept"]), follow=True)
    assert page.redirect_chain[0][0] == QUEUE
    text = page.content.decode()
    assert "That was the last thread of this group." in text
    assert f"{thread.thread_id}. Batch {Batch.objects.get().pk} was started." in text


def test_an_assignment_that_cannot_be_is_said(
    log_in: LogIn, in_review: InReview, reviewer: Callable[[str], User]
) -> None:
    bea, case, client = reviewer("bea"), in_review(), log_in("operator")
    url = reverse("review_assign", args=[case.pk])
    client.post(url, {"person": "987654"})
    assert ReviewCase.objects.get().person is None
    client.post(url, {"person": bea.pk})
    assert "bea" in said(client, "post", url, {"person": User.objects.get(username="operator").pk})
    assert ReviewCase.objects.get().person == bea


def test_taking_says_how_many_and_that_nothing_is_left(log_in: LogIn, in_review: InReview) -> None:
    client, take = log_in("operator"), reverse("review_take") + "?code=difference"
    assert "Nothing of this group waits that nobody has." in said(client, "post", take)
    in_review("difference")
    assert "1 thread is assigned to you." in said(client, "post", take)
    for _ in range(2):
        in_review("difference")
    assert "2 threads are assigned to you." in said(client, "post", take)


def test_what_cannot_be_read_again_says_why(log_in: LogIn, in_review: InReview) -> None:
    case, client = in_review("difference"), log_in("operator")
    read = reverse("review_read", args=[case.pk])
    assert "There is no conversation that could be read." in said(client, "post", read)
    Thread.objects.filter(pk=case.pk).update(status="verified", error_code="")
    for address in (read, reverse("review_assign", args=[case.pk])):
        assert client.post(address, follow=True).status_code == 200
    assert not ReviewReading.objects.exists()
