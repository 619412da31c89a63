from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from pytest_django.fixtures import Settings

from migration_app.admin.base.badges import Badge
from migration_app.admin.reconciliation import reconciliations as module
from migration_app.contracts import Actor
from migration_app.counters import THREADS, counters_differences
from migration_app.models import AuditEvent, Reconciliation, Tally, Thread
from migration_app.reconciliation.kinds import DEFAULT_CHECKS, Examined, Found
from migration_app.reconciliation.records import (
    RECONCILIATIONS,
    Checkpoint,
    ReconciliationRefusedError,
    reconciliation_create,
    reconciliation_finish,
    step_record,
)
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.admin.estate import conversation_made, thread_made

LIST = "/admin/migration_app/reconciliation/"
START = f"{LIST}start/"
ADA = Actor("ada")


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What went into the queue."""
    found: list[int] = []
    monkeypatch.setattr(module, "enqueue", lambda _kind, pk: found.append(pk))
    return found


def url(row: Reconciliation, act: str = "") -> str:
    return f"{LIST}{row.pk}/act/{act}/" if act else f"{LIST}{row.pk}/change/"


def finished(*found: Found, sample_size: int | None = None, looked: int = 5) -> Reconciliation:
    row = RECONCILIATIONS.claim(
        reconciliation_create(checks=["records", "target"], sample_size=sample_size, actor=ADA).pk
    )
    assert row is not None
    step_record(row, checkpoint=Checkpoint("records", 1, (1, 1)), looked=Examined(looked, found))
    reconciliation_finish(row, actor=ADA)
    return row


def missing(thread: Thread | None = None) -> Found:
    return Found("conversation_missing", (thread or thread_made(status="verified")).pk, "", "3 items", "404")


# --- starting


def test_the_start_page_shows_the_calls_before_anything_is_started(log_in: LogIn) -> None:
    for _ in range(3):
        conversation_made(
            thread=thread_made(status="verified", item_count=250), state="complete", item_count=250
        )
    page = log_in("operator").get(START)
    assert page.context["figures"] == [("Conversations read", "3"), ("Calls to the target", "12")]
    assert not Reconciliation.objects.exists()


def test_counting_under_another_choice_keeps_the_choice(log_in: LogIn) -> None:
    for _ in range(3):
        conversation_made(thread=thread_made(status="verified", item_count=1), state="complete")
    asked = {"scope": "sample", "sample": "2", "seed": "7", "compare": "ids", "check": ["target"]}
    page = log_in("operator").get(START, asked)
    assert page.context["figures"][0] == ("Conversations read", "2")
    assert (page.context["form"].asked()["seed"], page.context["form"].asked()["quick"]) == (7, True)


def test_starting_writes_it_down_and_enqueues_it(log_in: LogIn, enqueued: list[int]) -> None:
    asked = {"scope": "whole", "compare": "ids", "check": ["target", "work"], "reason": "monthly"}
    response = log_in("operator").post(START, asked)
    row = Reconciliation.objects.get()
    assert response["Location"] == url(row)
    assert (row.checks, row.sample_size, row.quick, row.created_by_name) == (
        ["work", "target"],
        None,
        True,
        "operator",
    )
    assert enqueued == [row.pk]
    assert AuditEvent.objects.get(verb="reconciliation.started").actor == "operator"


def test_a_form_as_it_is_opened_asks_for_a_sample_with_every_check_but_the_live_one(
    log_in: LogIn,
) -> None:
    asked = log_in("operator").get(START).context["form"].asked()
    assert (tuple(asked["checks"]), asked["sample_size"]) == (DEFAULT_CHECKS, 1_000)


@pytest.mark.parametrize(
    "asked",
    [
        {"scope": "sample", "sample": "0", "check": "work"},
        {"scope": "sample", "sample": "many", "check": "work"},
        {"scope": "sample", "seed": "-1", "check": "work"},
        {"scope": "whole"},
        {"scope": "whole", "check": "weather"},
        {"scope": "whole", "check": "live"},
    ],
)
def test_what_cant_be_asked_for_is_said_and_starts_nothing(
    asked: dict[str, str], log_in: LogIn, settings: Settings
) -> None:
    settings.SOURCE_BASE_URL = ""
    response = log_in("operator").post(START, asked)
    assert response.status_code == 400
    assert b'role="alert"' in response.content
    assert not Reconciliation.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_permission_to_start_needs_that_to_see(method: str, log_in: LogIn) -> None:
    client = log_in("newcomer")
    user = User.objects.get(username="newcomer")
    user.user_permissions.add(Permission.objects.get(codename="run_reconciliation"))
    assert getattr(client, method)(START, {"scope": "whole", "check": "work"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_reconciliation"))
    assert getattr(client, method)(START, {"scope": "whole", "check": "work"}).status_code < 400


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_viewer_may_look_but_not_start(method: str, log_in: LogIn) -> None:
    client = log_in("viewer")
    assert getattr(client, method)(START).status_code == 403
    assert START not in client.get(LIST).content.decode()
    assert client.get(url(finished())).status_code == 200


# --- the page


def test_the_page_tells_what_was_found_where_and_what_to_do(log_in: LogIn) -> None:
    thread = thread_made(thread_id="thread_gone", status="verified")
    page = log_in("viewer").get(url(finished(missing(thread)))).content.decode()
    assert reverse("admin:migration_app_thread_change", args=[thread.pk]) in page
    assert "Send the thread to review." in page
    assert "3 items" in page


def test_it_can_be_narrowed_by_severity_and_kind(log_in: LogIn) -> None:
    row = finished(missing(), Found("orphans_open", subject="orphan ledger"))
    client = log_in("viewer")
    for query, codes in (
        ("", ["conversation_missing", "orphans_open"]),
        ("?severity=information", ["orphans_open"]),
        ("?code=conversation_missing", ["conversation_missing"]),
        ("?code=no_such_kind&severity=x", ["conversation_missing", "orphans_open"]),
    ):
        found = client.get(url(row) + query).context["found"]
        assert [entry["row"].code for entry in found] == codes


def test_hostile_ids_are_shown_as_text(log_in: LogIn) -> None:
    thread = thread_made(thread_id=HOSTILE, status="verified")
    page = log_in("viewer").get(url(finished(missing(thread)))).content.decode()
    assert "<script>alert('x')" not in page


def test_a_page_of_many_takes_as_many_queries_as_of_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("operator")
    row = finished(*(missing() for _ in range(60)))
    with django_assert_max_num_queries(12):
        found = client.get(url(row)).context["found"]
    assert len(found) == 50


def test_progress_says_how_far_it_is(log_in: LogIn) -> None:
    row = RECONCILIATIONS.claim(
        reconciliation_create(checks=["records", "target"], sample_size=None, actor=ADA).pk
    )
    assert row is not None
    step_record(row, checkpoint=Checkpoint("target", 50, (1, 100)), looked=Examined(50))
    told = log_in("viewer").get(f"{LIST}{row.pk}/progress.json").json()
    assert (told["open"], told["percent"], told["counts"]["looked"]) == (True, 75, 50)


@pytest.mark.parametrize(
    ("state", "skipped", "text"),
    [
        ("finished", 0, "Nothing differs."),
        (
            "finished",
            3,
            "Nothing differs among what was checked: 50 rows checked, 3 skipped because work on them was",
        ),
        ("stopped", 0, "Nothing so far: it was stopped before its end. 50 rows checked."),
        ("failed", 0, "Nothing so far: it failed before its end."),
    ],
)
def test_nothing_found_says_of_how_much(state: str, skipped: int, text: str, log_in: LogIn) -> None:
    row = RECONCILIATIONS.claim(reconciliation_create(checks=["records"], sample_size=None, actor=ADA).pk)
    assert row is not None
    step_record(row, checkpoint=Checkpoint("records", 50, (1, 50)), looked=Examined(50, (), skipped))
    Reconciliation.objects.update(state=state)
    client = log_in("viewer")
    assert text in client.get(url(row)).content.decode()
    listed = client.get(LIST).content.decode()
    assert ("0 errors, 0 warnings, 3 skipped" in listed) == bool(skipped)


def test_the_end_of_a_reconciliation_is_green_only_if_nothing_was_wrong(log_in: LogIn) -> None:
    client = log_in("viewer")
    good, bad = finished(), finished(missing())
    assert [client.get(url(row)).context["state"].type for row in (good, bad)] == ["success", "danger"]
    assert client.get(url(bad)).context["state"].text == "found errors"


def test_the_audit_trail_says_how_many_rows_a_reconciliation_skipped(db: None) -> None:
    row = RECONCILIATIONS.claim(reconciliation_create(checks=["records"], sample_size=None, actor=ADA).pk)
    assert row is not None
    step_record(row, checkpoint=Checkpoint("records", 50, (1, 50)), looked=Examined(50, (), 3))
    reconciliation_finish(row, actor=ADA)
    said = AuditEvent.objects.get(verb="reconciliation.finished").reason
    assert said.endswith("50 rows checked, 3 skipped because work on them was in progress")


def test_the_csv_holds_every_discrepancy_and_is_told_the_audit_trail(log_in: LogIn) -> None:
    row = finished(missing(thread_made(thread_id="=1+1", status="verified")))
    client = log_in("viewer")
    assert client.get(f"{LIST}{row.pk}/discrepancies.csv").status_code == 302
    response = client.post(f"{LIST}{row.pk}/discrepancies.csv")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a streaming answer
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["thread_id"], line["code"]) == ("'=1+1", "conversation_missing")
    assert AuditEvent.objects.filter(verb="reconciliation.exported").count() == 1


# --- the acts


def test_one_at_work_is_stopped_and_goes_on(log_in: LogIn, enqueued: list[int]) -> None:
    row = reconciliation_create(sample_size=None, actor=ADA)
    client = log_in("operator")
    client.post(url(row, "stop"))
    row.refresh_from_db()
    assert (row.state, enqueued) == ("stopped", [])
    client.post(url(row, "resume"))
    row.refresh_from_db()
    assert (row.state, enqueued) == ("queued", [row.pk])


def test_threads_go_to_review_with_a_reason_by_a_worker(log_in: LogIn, enqueued: list[int]) -> None:
    thread = thread_made(status="verified")
    row = finished(missing(thread))
    client = log_in("operator")
    assert b'id="review"' in client.get(url(row)).content
    client.post(url(row, "review"), {"reason": " "})
    row.refresh_from_db()
    assert row.review_asked_at is None
    client.post(url(row, "review"), {"reason": "told by ops"})
    row.refresh_from_db()
    assert (row.review_asked_by_name, row.review_reason, enqueued) == ("operator", "told by ops", [row.pk])
    thread.refresh_from_db()
    assert thread.status == "verified", "a web request changes no thread"


def test_what_leads_to_no_review_offers_none(log_in: LogIn) -> None:
    row = finished(Found("orphans_open"))
    assert b'id="review"' not in log_in("operator").get(url(row)).content


@pytest.mark.parametrize("act", ["stop", "resume", "review", "rebuild"])
@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_acts_need_the_permission(act: str, role: str, status: int, log_in: LogIn) -> None:
    row = reconciliation_create(sample_size=None, actor=ADA)
    assert log_in(role).post(url(row, act), {"reason": "x"}).status_code == status
    row.refresh_from_db()
    assert row.state == "queued"


@pytest.mark.parametrize("act", ["stop", "resume", "review", "rebuild"])
def test_looking_changes_nothing(act: str, log_in: LogIn) -> None:
    row = reconciliation_create(sample_size=None, actor=ADA)
    assert log_in("operator").get(url(row, act)).status_code == 302
    row.refresh_from_db()
    assert row.state == "queued"


def test_an_unknown_act_or_row_is_not_found(log_in: LogIn) -> None:
    client = log_in("operator")
    assert client.post(url(finished(), "explode")).status_code == 404
    assert client.get(f"{LIST}987654/change/").status_code == 404
    assert client.get(f"{LIST}abc/change/").status_code == 404


def test_the_list_takes_as_many_queries_for_forty_rows_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for _ in range(40):
        finished(missing())
    with django_assert_max_num_queries(12):
        page = client.get(LIST).content.decode()
    assert "1 errors, 0 warnings" in page


def test_counters_that_are_off_are_rebuilt_from_the_page_that_says_so(
    log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made()
    THREADS.fold()
    Tally.objects.update(threads=7)
    row = finished(Found("tally_differs", subject="the estate", found="off by +6 threads"))
    client = log_in("operator")
    assert b"Rebuild counters" in client.get(f"{LIST}{row.pk}/change/").content
    client.post(url(row, "rebuild"), {"reason": " "})
    assert len(counters_differences()) == 1
    client.post(url(row, "rebuild"), {"reason": "off since the restore"})
    assert counters_differences() == []
    event = AuditEvent.objects.get(verb="counters.rebuilt")
    assert (event.actor, event.reason) == ("operator", "off since the restore")
    assert enqueued == []


@pytest.mark.parametrize(
    ("role", "found"), [("viewer", "tally_differs"), ("operator", "conversation_missing")]
)
def test_rebuilding_is_offered_only_where_counters_are_off_to_those_who_may(
    role: str, found: str, log_in: LogIn
) -> None:
    row = finished(Found(found, subject="x"))
    assert b"Rebuild counters" not in log_in(role).get(f"{LIST}{row.pk}/change/").content


@pytest.mark.parametrize(
    ("check", "cursor", "within", "sample", "percent"),
    [
        ("", 0, None, None, 0),
        ("records", 0, None, None, 0),
        ("records", 10, [10, 19], None, 5),
        ("records", 19, [10, 19], None, 50),
        ("target", 14, [10, 19], None, 75),
        ("target", 30, [10, 19], None, 99),
        ("target", 5, [10, 19], None, 50),
        ("target", 25, [0, 900], 100, 62),
        ("target", 7, [8, 7], None, 50),
        ("gone", 14, [10, 19], None, 0),
    ],
)
def test_progress_is_that_of_the_checks_and_of_the_keys_of_this_one(
    check: str, cursor: int, within: list[int] | None, sample: int | None, percent: int
) -> None:
    row = Reconciliation(
        checks=["records", "target"], state="running", check_name=check, cursor=cursor, sample_size=sample
    )
    row.counts = {check: {"within": within}} if within else {}
    assert module.reconciliation_percent(row) == percent
    row.state = "finished"
    assert module.reconciliation_percent(row) == 100


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("queued", "Nothing so far."),
        ("running", "Nothing so far."),
        ("failed", "Nothing so far: it failed before its end."),
        ("stopped", "Nothing so far: it was stopped before its end."),
        ("finished", "Nothing differs."),
    ],
)
@pytest.mark.django_db
def test_nothing_found_means_something_else_before_the_end(state: str, text: str) -> None:
    row = finished()
    row.state = state
    assert module.nothing_found_text(row).startswith(text)


@pytest.mark.django_db
def test_what_waits_for_a_worker_says_so_and_what_runs_says_at_which_check() -> None:
    row = reconciliation_create(checks=["records", "target"], sample_size=None, actor=ADA)
    assert module.reconciliation_summary(row) == "Waiting for a worker."
    row.check_name = "records"
    assert module.reconciliation_summary(row).endswith("; now: records.")
    assert "now:" not in module.reconciliation_summary(finished())


def test_an_act_that_came_too_late_says_so(log_in: LogIn, enqueued: list[int]) -> None:
    client, row = log_in("operator"), finished(missing())
    for act, said in (("stop", "It was over already."), ("resume", "There is nothing to resume.")):
        assert said in client.post(url(row, act), {"reason": "x"}, follow=True).content.decode()
    client.post(url(row, "review"), {"reason": "look at it"})
    again = client.post(url(row, "review"), {"reason": "again"}, follow=True)
    assert "That was asked for before." in again.content.decode()
    assert enqueued == [row.pk]


def test_calls_to_the_live_source_are_counted_where_it_is_asked(log_in: LogIn, settings: Settings) -> None:
    settings.SOURCE_BASE_URL = "https://source.example"
    thread_made(status="verified")
    asked = {"scope": "whole", "compare": "ids", "check": ["live"]}
    figures = dict(log_in("operator").get(START, asked).context["figures"])
    assert "Calls to the live source" in figures
    assert "Calls to the live source" not in dict(log_in("admin").get(START).context["figures"])


@pytest.mark.parametrize(("address", "said"), [("", 1), ("https://source.example", 0)])
def test_the_check_of_the_source_says_that_no_source_is_set(
    address: str, said: int, log_in: LogIn, settings: Settings
) -> None:
    settings.SOURCE_BASE_URL = address
    page = log_in("operator").get(START)
    assert page.content.decode().count("(no live source is set)") == said
    (live,) = [str(label) for name, label in page.context["form"].fields["check"].choices if name == "live"]
    assert live.count("(no live source is set)") == said
    boxes = re.findall(r'<input type="checkbox" name="check"[^>]*>', page.content.decode())
    assert len(boxes) > 1
    assert [box for box in boxes if "disabled" in box] == [box for box in boxes if 'value="live"' in box][
        :said
    ]


def test_a_start_that_the_service_refuses_is_shown_again_with_the_reason(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch, enqueued: list[int]
) -> None:
    def refuse(**_asked: Any) -> Reconciliation:
        raise ReconciliationRefusedError("Another one has just begun.")

    monkeypatch.setattr(module, "reconciliation_create", refuse)
    asked = {"scope": "whole", "compare": "ids", "check": ["work"], "reason": "monthly"}
    page = log_in("operator").post(START, asked)
    assert page.status_code == 400
    assert "Another one has just begun." in page.content.decode()
    assert enqueued == []


def test_an_estimate_leads_to_its_address_without_the_reason(log_in: LogIn) -> None:
    asked = {"scope": "whole", "check": ["work", "target"], "reason": "mine", "estimate": "1"}
    to = log_in("operator").post(START, asked)["Location"]
    assert to == f"{START}?scope=whole&check=work&check=target"


@pytest.mark.parametrize(("severity", "colour"), [("error", "danger"), ("warning", "warning"), ("odd", "")])
def test_severities_have_their_colours(severity: str, colour: str) -> None:
    assert module.severity_badge(severity) == Badge(severity, colour)
