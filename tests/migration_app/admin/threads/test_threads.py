from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from migration_app.admin.threads import confirm_pages
from migration_app.admin.threads.actions import ACTIONS
from migration_app.batches import preflight
from migration_app.batches.kinds import BatchKind
from migration_app.contracts import POLICIES_VERSION, Policies, policies_as_dict, policy_choices
from migration_app.conversion.policies import POLICY_TEXTS
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.selections import FILTERS, selection_of_filters, selection_of_pks
from tests.migration_app.admin.addresses import confirm_url
from tests.migration_app.admin.conftest import HOSTILE, LogIn, MakeThread
from tests.migration_app.admin.estate import assistant_made, conversation_made, thread_made, threads_made

LIST = "/admin/migration_app/thread/"
STARTING = [name for name, kind in ACTIONS.items() if isinstance(kind, BatchKind)]


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pks: list[int] = []
    monkeypatch.setattr(confirm_pages, "enqueue", lambda _kind, pk: pks.append(pk))
    return pks


def act_url(name: str) -> str:
    return reverse("admin:migration_app_thread_act", args=[name])


def pick(client: Client, name: str, *threads: Thread, query: str = "", across: bool = False) -> Any:
    data = {
        "action": name,
        "index": "0",
        "select_across": "1" if across else "0",
        "_selected_action": [str(thread.pk) for thread in threads],
    }
    return client.post(LIST + query, data, follow=True)


def confirm(client: Client, name: str, selection: dict[str, Any], reason: str = "because") -> Any:
    return client.post(confirm_url(name, selection), {"reason": reason})


# --- the list -------------------------------------------------------------------------------------


def test_the_list_never_shows_content(log_in: LogIn, make_thread: MakeThread) -> None:
    make_thread("the secret recipe")
    assert b"secret recipe" not in log_in("superuser").get(LIST).content


def test_hostile_ids_and_references_are_escaped_in_the_list(log_in: LogIn) -> None:
    thread_made(thread_id=HOSTILE, user_ref=HOSTILE, assistant=assistant_made(name=HOSTILE))
    page = log_in("viewer").get(LIST).content.decode()
    assert "<script>alert(" not in page
    assert "<img src=x" not in page


def test_the_list_takes_as_many_queries_for_sixty_threads_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("operator")
    for number in range(60):
        thread = thread_made(assistant=assistant_made(), error_code=f"code_{number}")
        conversation_made(thread=thread)
    with django_assert_max_num_queries(12):
        assert client.get(LIST).status_code == 200


@pytest.mark.parametrize(
    "text", ["thread_x", "conv_x", "user_x"], ids=["thread id", "conversation id", "user reference"]
)
def test_the_search_finds_a_thread_by_each_of_its_ids(text: str, log_in: LogIn) -> None:
    conversation_made(thread=thread_made(thread_id="thread_x", user_ref="user_x"), conversation_id="conv_x")
    thread_made(thread_id="thread_other")
    page = log_in("viewer").get(LIST, {"q": text}).content.decode()
    assert "thread_x" in page
    assert "thread_other" not in page


def test_every_filter_of_a_selection_narrows_the_list(log_in: LogIn) -> None:
    client = log_in("viewer")
    assistant = assistant_made()
    batch = Batch.objects.create(
        kind="backfill", filter={}, max_thread_pk=0, reason="r", created_by_name="ada"
    )
    values = {
        "status__exact": "failed",
        "fidelity__exact": "lossy",
        "error_code__exact": "rate_limited",
        "assistant__id__exact": str(assistant.pk),
        "batch__id__exact": str(batch.pk),
        "user_ref__exact": "user_1",
        "thread_id__exact": "thread_in",
        "finding__exact": "object_conflict",
    }
    assert set(values) == set(FILTERS)
    fields: dict[str, Any] = {FILTERS[name]: value for name, value in values.items()}
    fields["finding_counts"] = {fields.pop("finding_counts__has_key"): 2}
    thread_made(**fields)
    thread_made(thread_id="thread_out", finding_counts={"message_empty": 1})
    for name, value in values.items():
        page = client.get(LIST, {name: value}).content.decode()
        assert "thread_in" in page, name
        assert "thread_out" not in page, name


def test_a_selection_carries_the_finding_it_was_narrowed_by(log_in: LogIn) -> None:
    thread_made(status="snapshotted", finding_counts={"object_conflict": 1})
    thread_made(status="snapshotted", finding_counts={"message_empty": 1})
    response = log_in("operator").get(act_url("backfill"), {"finding__exact": "object_conflict"})
    assert response.context["matching"] == "1"
    assert ("Has finding", "object_conflict") in response.context["selection_summary"]


def test_the_finding_filter_offers_what_threads_can_have_and_takes_any_other(log_in: LogIn) -> None:
    client = log_in("viewer")
    thread_made(thread_id="thread_in", finding_counts={HOSTILE: 1})
    page = client.get(f"{LIST}list/filters/").content.decode()
    assert 'value="image_on_assistant"' in page
    assert 'value="object_conflict"' in page
    found = client.get(LIST, {"finding__exact": HOSTILE}).content.decode()
    assert "thread_in" in found
    assert "<script>alert(" not in found


def test_an_error_code_stands_with_the_status(log_in: LogIn) -> None:
    thread_made(status="failed", error_code="rate_limited")
    assert ">rate_limited</div>" in log_in("viewer").get(LIST).content.decode()


def test_an_empty_filter_value_means_no_filter(log_in: LogIn) -> None:
    thread_made(thread_id="thread_in", fidelity="exact")
    assert b"thread_in" in log_in("viewer").get(LIST, {"fidelity__exact": "", "status__exact": ""}).content


def test_a_filter_value_that_is_no_number_leads_back_to_the_list(log_in: LogIn) -> None:
    response = log_in("viewer").get(LIST, {"batch__id__exact": "abc"})
    assert response.status_code == 302


# --- offering and refusing ------------------------------------------------------------------------


def test_a_viewer_is_offered_no_action(log_in: LogIn) -> None:
    thread_made()
    assert b'<option value="backfill">' not in log_in("viewer").get(LIST).content


def test_an_operator_is_offered_all_but_exclude_roll_back_and_erasing(log_in: LogIn) -> None:
    thread_made()
    page = log_in("operator").get(LIST).content.decode()
    offered = {name for name in ACTIONS if f'<option value="{name}">' in page}
    assert offered == set(ACTIONS) - {"exclude", "rollback", "erase_server_messages"}


def test_an_admin_is_offered_every_action(log_in: LogIn) -> None:
    thread_made()
    page = log_in("admin").get(LIST).content.decode()
    assert all(f'<option value="{name}">' in page for name in ACTIONS)


@pytest.mark.parametrize("name", ACTIONS)
def test_a_viewer_is_refused_each_action(name: str, log_in: LogIn, enqueued: list[int]) -> None:
    client = log_in("viewer")
    thread = thread_made(status="snapshotted")
    assert pick(client, name, thread).status_code == 403
    assert client.get(act_url(name)).status_code == 403
    assert confirm(client, name, selection_of_pks([thread.pk])).status_code == 403
    assert (Batch.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize("name", ACTIONS)
def test_a_stranger_is_sent_to_the_login_page_by_each_action(name: str, log_in: LogIn) -> None:
    client = log_in("anonymous")
    for response in (client.get(act_url(name)), confirm(client, name, selection_of_pks([1]))):
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_an_unknown_action_does_not_exist(log_in: LogIn) -> None:
    assert log_in("superuser").get(act_url("explode")).status_code == 404


# --- confirm pages --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIONS)
def test_picking_an_action_shows_a_page_and_changes_nothing(
    name: str, log_in: LogIn, enqueued: list[int]
) -> None:
    thread = thread_made(status="snapshotted", snapshot_at=timezone.now())
    before = Thread.objects.values().get()
    response = pick(log_in("admin"), name, thread)
    assert response.status_code == 200
    assert b'id="confirm-page"' in response.content
    assert Thread.objects.values().get() == before
    assert (Batch.objects.count(), AuditEvent.objects.count(), enqueued) == (0, 0, [])


@pytest.mark.parametrize("name", ACTIONS)
def test_opening_a_confirm_page_by_address_changes_nothing(
    name: str, log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made(status="snapshotted")
    assert log_in("admin").get(act_url(name), {"status__exact": "snapshotted"}).status_code == 200
    assert (Batch.objects.count(), AuditEvent.objects.count(), enqueued) == (0, 0, [])


def test_the_page_tells_figures_findings_and_who_is_left_out_and_why(log_in: LogIn) -> None:
    for _ in range(3):
        thread_made(
            status="snapshotted",
            fidelity="lossy",
            message_count=50,
            item_count=1041,
            chunk_count=53,
            payload_bytes=2_000_000,
            finding_counts={"file_search_as_note": 2},
        )
    thread_made(status="verified")
    page = log_in("operator").get(act_url("backfill")).content.decode()
    assert "<b>3,123</b>" in page  # items
    assert "<b>159</b>" in page  # chunks
    assert "<b>198</b>" in page  # calls: 3 creates, 159 chunks, 3 × 12 reads
    assert "6.0 MB" in page
    assert "file_search_as_note" in page
    assert "migrated and verified already" in page


def test_the_page_says_that_no_worker_is_alive_and_how_to_start_one(log_in: LogIn) -> None:
    thread_made(status="snapshotted")
    assert b"manage.py rqworker" in log_in("operator").get(act_url("backfill")).content


def test_nothing_can_be_confirmed_when_no_thread_would_be_taken(log_in: LogIn) -> None:
    thread_made(status="registered")
    page = log_in("operator").get(act_url("backfill")).content.decode()
    assert "nothing to start" in page
    assert 'name="reason"' not in page


# --- starting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STARTING)
def test_confirming_starts_a_batch_with_the_reason_and_leads_to_its_page(
    name: str, log_in: LogIn, enqueued: list[int]
) -> None:
    thread = thread_made(status="snapshotted")
    response = confirm(log_in("admin"), name, selection_of_pks([thread.pk]), reason=" ticket 12 ")
    batch = Batch.objects.get()
    assert response["Location"] == reverse("admin:migration_app_batch_change", args=[batch.pk])
    assert (batch.kind, batch.reason, batch.created_by_name) == (name, "ticket 12", "admin")
    assert batch.filter == {"ids": [thread.pk]}
    assert enqueued == [batch.pk]
    assert AuditEvent.objects.get().verb == f"batch.{name}_started"


@pytest.mark.parametrize("name", STARTING)
def test_no_batch_starts_without_a_reason(name: str, log_in: LogIn, enqueued: list[int]) -> None:
    thread = thread_made(status="failed", snapshot_at=timezone.now())
    response = confirm(log_in("admin"), name, selection_of_pks([thread.pk]), reason="  ")
    assert response.status_code == 400
    assert (Batch.objects.count(), enqueued) == (0, [])


def test_selecting_all_that_match_carries_the_filters_and_no_ids(log_in: LogIn, enqueued: list[int]) -> None:
    client = log_in("operator")
    first = thread_made(status="snapshotted", fidelity="exact", user_ref="u1")
    threads_made(3, status="snapshotted", fidelity="exact", user_ref="u1")
    thread_made(status="snapshotted", fidelity="lossy")
    query = "?status__exact=snapshotted&fidelity__exact=exact&q=u1&p=1&o="
    page = pick(client, "backfill", first, query=query, across=True)
    client.post(page.context["act_url"], {"reason": "all of them"})
    assert Batch.objects.get().filter == {
        "filters": {"status__exact": "snapshotted", "fidelity__exact": "exact"},
        "search": "u1",
    }
    assert page.context["taken"] == 4


def test_ticked_threads_are_taken_and_no_others(log_in: LogIn, enqueued: list[int]) -> None:
    client = log_in("operator")
    first, second, _third = threads_made(3, status="snapshotted")
    page = pick(client, "backfill", first, second, query="?status__exact=snapshotted")
    client.post(page.context["act_url"], {"reason": "two"})
    assert Batch.objects.get().filter == {"ids": [first.pk, second.pk]}


def test_a_filter_that_a_batch_cannot_carry_is_refused(log_in: LogIn) -> None:
    client = log_in("operator")
    thread = thread_made(status="snapshotted")
    response = pick(client, "backfill", thread, query="?message_count__gte=0", across=True)
    assert response.status_code == 400  # no filter of the list's own
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    "query",
    ["ids=", "ids=1,x", "ids=" + ",".join("1" * 300), "kept=nothing", "colour=red", "policy-colour=red"],
)
def test_an_address_that_selects_nothing_leads_back_to_the_list(
    query: str, log_in: LogIn, enqueued: list[int]
) -> None:
    client = log_in("operator")
    for response in (
        client.get(f"{act_url('backfill')}?{query}"),
        client.post(f"{act_url('backfill')}?{query}", {"reason": "r"}),
    ):
        assert response["Location"] == LIST
    assert (Batch.objects.count(), enqueued) == (0, [])


# --- policies -------------------------------------------------------------------------------------


def test_the_page_offers_every_policy_with_its_default_chosen_and_marked(log_in: LogIn) -> None:
    thread_made(status="snapshotted", finding_counts={"image_on_assistant": 3})
    response = log_in("operator").get(act_url("backfill"))
    page = response.content.decode()
    for name, choices in policy_choices().items():
        select = page[page.index(f'id="policy-{name}"') :]
        select = select[: select.index("</select>")]
        assert [f'value="{choice}"' in select for choice in choices] == [True] * len(choices)
        assert select.count("selected") == 1
        assert f" selected>{choices[0]} (default)" in select
        assert escape(POLICY_TEXTS[name].choices[choices[0]]) in page
    rows = {row["name"]: (row["threads"], row["parts"]) for row in response.context["policies"]}
    assert rows["assistant_images"] == ("1", "3")


@pytest.mark.parametrize("name", ["snapshot", "verify", "exclude", "export"])
def test_an_action_that_converts_nothing_offers_no_policies(name: str, log_in: LogIn) -> None:
    thread_made(status="snapshotted")
    assert b"data-policy" not in log_in("admin").get(act_url(name)).content


def test_counting_under_other_policies_shows_their_figures_and_changes_nothing(
    log_in: LogIn, make_thread: MakeThread, enqueued: list[int]
) -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-a"}}
    make_thread("draw it", {"content": [image]}, item_count=2, finding_counts={"image_on_assistant": 1})
    data = {"count": "1", "policy-assistant_images": "block", "reason": "still typing"}
    response = log_in("operator").post(act_url("backfill"), data, follow=True)
    assert response.redirect_chain == [(f"{act_url('backfill')}?policy-assistant_images=block", 302)]
    assert response.context["preflight"].blocked == 1
    assert "assistant_images=block; 1 thread recalculated" in response.content.decode()
    assert (Batch.objects.count(), AuditEvent.objects.count(), enqueued) == (0, 0, [])


@pytest.mark.parametrize("name", ["backfill", "retry"])
def test_a_batch_keeps_the_policies_chosen_and_the_audit_trail_names_them(
    name: str, log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made(status="snapshotted" if name == "backfill" else "failed")
    data = {
        "reason": "r",
        "policy-attachments": "note",
        "policy-file_search": "note",
        "counted": "attachments=note",
    }
    log_in("operator").post(act_url(name), data)
    batch = Batch.objects.get()
    assert batch.settings["policies"] == policies_as_dict(Policies(attachments="note"))
    assert batch.settings["policies_version"] == POLICIES_VERSION
    assert AuditEvent.objects.get().reason == "r [attachments=note]"


@pytest.mark.parametrize(
    "chosen",
    [{"policy-attachments": "shred"}, {"policy-colour": "red"}, {"policy-attachments": HOSTILE}],
    ids=["choice", "policy", "hostile"],
)
def test_an_unknown_policy_starts_nothing_and_says_what_there_is(
    chosen: dict[str, str], log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made(status="snapshotted")
    data = {"reason": "r", **chosen}
    page = log_in("operator").post(act_url("backfill"), data).content.decode()
    assert "it can be: input_file" in page or "there are: assistant_images" in page
    assert "<script>alert(" not in page
    assert (Batch.objects.count(), enqueued) == (0, [])


def test_nothing_starts_under_policies_whose_figures_were_not_shown(
    log_in: LogIn, enqueued: list[int]
) -> None:
    thread_made(status="snapshotted")
    data = {
        "reason": "r",
        "policy-attachments": "note",
        "counted": "default policies",
    }
    page = log_in("operator").post(act_url("backfill"), data, follow=True)
    assert b"confirm again" in page.content
    assert page.context["policies_summary"] == "attachments=note"
    assert (Batch.objects.count(), enqueued) == (0, [])


def test_too_many_threads_for_a_page_are_told_with_the_command_that_counts_them(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "CONVERTED_THREADS", 0)
    thread_made(status="snapshotted", user_ref="a b", finding_counts={"image_on_assistant": 1})
    selection = selection_of_filters({"user_ref__exact": "a b"})
    response = log_in("operator").get(
        confirm_url("backfill", selection, **{"policy-assistant_images": "block"})
    )
    command = "manage.py preflight --filter 'user_ref__exact=a b' --policy assistant_images=block"
    assert escape(command) in response.content.decode()
    assert "not those of the policies chosen" in response.content.decode()


# --- preflight and mapping ------------------------------------------------------------------------


def test_the_preflight_can_be_downloaded_and_leaves_its_audit_row(log_in: LogIn, enqueued: list[int]) -> None:
    thread_made(status="snapshotted", item_count=7, chunk_count=1, finding_counts={"message_empty": 1})
    thread_made(status="verified")
    response = confirm(log_in("operator"), "preflight", selection_of_filters({}), reason="")
    rows = response.getvalue().decode().splitlines()
    assert rows[0] == "section,name,detail,threads,count"
    assert "policy,assistant_images,placeholder,0,0" in rows
    assert "total,items,,1,7" in rows
    assert "finding,message_empty,note,1,1" in rows
    assert (Batch.objects.count(), enqueued) == (0, [])
    assert AuditEvent.objects.get().verb == "preflight.exported"


def test_the_mapping_is_streamed_and_its_export_audited(log_in: LogIn) -> None:
    conversation_made(
        thread=thread_made(thread_id="thread_m", status="verified"),
        conversation_id="conv_m",
        mapped_at=timezone.now(),
    )
    thread_made(thread_id="thread_n", status="failed")
    response = confirm(
        log_in("operator"), "export", selection_of_filters({"status__exact": "verified"}), "audit"
    )
    assert response.streaming
    rows = b"".join(response.streaming_content).decode().splitlines()
    assert rows[0].startswith("thread_id,conversation_id,status")
    assert [row.split(",")[:2] for row in rows[1:]] == [["thread_m", "conv_m"]]
    event = AuditEvent.objects.get()
    assert (event.verb, event.actor, event.reason) == ("mapping.exported", "operator", "audit")


def test_the_bar_of_actions_says_how_many_all_are_and_the_box_that_ticks_the_page_has_a_label(
    log_in: LogIn,
) -> None:
    threads_made(60, status="snapshotted")
    html = log_in("operator").get(LIST).content.decode()
    assert "All 60 threads selected" in html
    assert '<span class="mc-tick-label">Select all rows of this page</span></label>' in html
