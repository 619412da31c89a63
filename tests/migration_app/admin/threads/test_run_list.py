"""Runs in the console: their list, their page with the request that does the same now, totals of tokens."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, Conversation, Prompt, Run, Thread
from migration_app.prompts.versions import version_create
from migration_app.threads.assessments import threads_assess
from tests.factories import AssistantFactory, ConversationFactory
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.imports.support import message
from tests.migration_app.snapshots.test_runs import run, snapshotted, step

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada")
SECRET = "Call him Mr. Halloway."
TOTALS = reverse("admin:migration_app_run_totals")


def assessed(*runs: dict[str, Any], **fields: Any) -> Thread:
    row = snapshotted(message("m1"), *runs, **fields)
    threads_assess(thread_pks=[row.pk], actor=ACTOR, reason="test")
    return row


def page_of(client: Client, row: Run) -> str:
    response = client.get(reverse("admin:migration_app_run_change", args=[row.pk]))
    assert response.status_code == 200
    return response.content.decode()


def prompted(**spec: Any) -> None:
    prompt = Prompt.objects.create(
        slug="support-desk", assistant=AssistantFactory.create(assistant_id="asst_1")
    )
    version_create(
        prompt=prompt, spec={"model": "gpt-4.1", **spec}, origin="converted", author=ACTOR, note=""
    )


def listed(client: Client, **query: Any) -> str:
    response = client.get(reverse("admin:migration_app_run_changelist"), query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_tells_status_error_tokens_and_calls_of_each_run(log_in: LogIn) -> None:
    assessed(
        run("run_1"),
        run(
            "run_2",
            status="failed",
            usage=None,
            last_error={"code": "rate_limit_exceeded", "message": SECRET},
        ),
        step("s1", "run_1", "function", "file_search"),
    )
    text = listed(log_in("viewer"))
    assert "rate_limit_exceeded" in text
    assert "1 file search, 1 function" in text
    assert "34 in, 130 out" in text
    assert SECRET not in text


def test_runs_of_one_minute_are_told_apart_by_their_seconds(log_in: LogIn) -> None:
    assessed(run("run_1", created_at=1_752_000_001), run("run_2", created_at=1_752_000_002))
    text = listed(log_in("viewer"))
    for seconds in ("01", "02"):
        assert re.search(rf">2025-07-08 18:40:{seconds}[^<]*</time>", text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "failed"}, {"run_2"}),
        ({"assistant_id__exact": "asst_2"}, {"run_3"}),
        ({"error_code__exact": "server_error"}, {"run_2"}),
        ({"q": "run_3"}, {"run_3"}),
        ({"status__exact": "completed", "assistant_id__exact": "asst_1"}, {"run_1"}),
        ({"status__exact": "none"}, set()),
    ],
)
def test_the_list_is_narrowed_by_indexes(query: dict[str, str], found: set[str], log_in: LogIn) -> None:
    assessed(
        run("run_1"),
        run("run_2", status="failed", last_error={"code": "server_error"}),
        run("run_3", assistant_id="asst_2"),
    )
    text = listed(log_in("viewer"), **query)
    assert {name for name in ("run_1", "run_2", "run_3") if f'title="{name}"' in text} == found


def test_the_list_of_a_thread_has_its_runs_only(log_in: LogIn) -> None:
    row = assessed(run("run_1"))
    assessed(run("run_2"), thread_id="thread_2")
    text = listed(log_in("viewer"), thread_id__exact=row.pk)
    assert 'title="run_1"' in text
    assert 'title="run_2"' not in text


def test_the_request_names_the_prompt_the_conversation_and_what_the_run_had_otherwise(log_in: LogIn) -> None:
    prompted(instructions="Help.", temperature=0.2)
    row = assessed(run("run_1", instructions="Help.", temperature=0.9))
    conversation = ConversationFactory.create(thread=row, conversation_id="conv_1")
    assert conversation.state == Conversation.State.OPEN
    text = page_of(log_in("operator"), Run.objects.get())
    assert "from prompts.support_desk import create_kwargs" in text
    assert escape("**(create_kwargs() | {'temperature': 0.9}),") in text
    assert escape("conversation='conv_1',") in text


def test_without_a_prompt_all_arguments_stand_in_the_request(log_in: LogIn) -> None:
    assessed(run("run_1", instructions="Help.", temperature=0.9))
    text = page_of(log_in("operator"), Run.objects.get())
    assert escape("model='gpt-4.1',") in text
    assert "There is no prompt of this assistant yet" in text


def test_what_a_run_said_is_seen_with_the_permission_only_and_leaves_an_audit_row(log_in: LogIn) -> None:
    prompted(instructions="Help.")
    assessed(
        run(
            "run_1",
            status="failed",
            instructions=SECRET,
            metadata={"user": SECRET},
            last_error={"code": "server_error", "message": SECRET},
        )
    )
    row = Run.objects.get()
    text = page_of(log_in("viewer"), row)
    assert SECRET not in text
    assert "Its own instructions and metadata: not shown" in text
    assert not AuditEvent.objects.filter(verb="thread.content_viewed").exists()
    assert SECRET in page_of(log_in("operator"), row)
    assert AuditEvent.objects.filter(
        verb="thread.content_viewed", subject_id="thread_1", reason="run run_1"
    ).exists()


def test_hostile_words_are_shown_as_words(log_in: LogIn) -> None:
    client = log_in("operator")
    hostile = HOSTILE[:60]
    assessed(
        run(
            f"run{HOSTILE}",
            assistant_id=HOSTILE,
            status=hostile,
            model=HOSTILE,
            last_error={"code": hostile, "message": HOSTILE},
        ),
        step("s1", f"run{HOSTILE}", HOSTILE),
    )
    for text in (page_of(client, Run.objects.get()), listed(client), client.get(TOTALS).content.decode()):
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def test_totals_are_shown_by_month_and_assistant_with_their_sum(log_in: LogIn) -> None:
    assessed(run("run_1"), run("run_2"), run("run_3", assistant_id="asst_2"))
    response = log_in("viewer").get(TOTALS, {"assistant": "asst_1", "from": "2025-07"})
    text = response.content.decode()
    assert "2025-07" in text
    assert ">328<" in text
    assert "asst_2" not in text


def test_a_month_that_is_none_is_answered_in_words(log_in: LogIn) -> None:
    response = log_in("viewer").get(TOTALS, {"from": "July"})
    assert response.status_code == 400
    assert "A month is written like 2025-07." in response.content.decode()


def test_totals_are_downloaded_as_csv_that_a_spreadsheet_does_not_run(log_in: LogIn) -> None:
    assessed(run("run_1", assistant_id="=HYPERLINK(1)"))
    response = log_in("viewer").get(reverse("admin:migration_app_run_totals_csv"))
    rows = b"".join(response).decode().splitlines()
    assert rows[0].startswith("assistant_id,month,model,runs,completed,")
    assert rows[1] == "'=HYPERLINK(1),2025-07,gpt-4.1,1,1,1,34,130,164"


@pytest.mark.parametrize("name", ["run_totals", "run_totals_csv"])
def test_staff_without_a_role_sees_no_totals(name: str, log_in: LogIn) -> None:
    assert log_in("newcomer").get(reverse(f"admin:migration_app_{name}")).status_code == 403


def test_a_list_of_fifty_runs_takes_no_more_queries_than_one_of_two(
    log_in: LogIn, django_assert_max_num_queries: Any
) -> None:
    assessed(*(run(f"run_{number}") for number in range(50)))
    client = log_in("viewer")
    with django_assert_max_num_queries(14):
        listed(client)


def test_the_threads_page_leads_to_the_page_of_each_run(log_in: LogIn) -> None:
    row = assessed(run("run_1"))
    text = log_in("viewer").get(reverse("admin:migration_app_thread_change", args=[row.pk])).content.decode()
    assert reverse("admin:migration_app_run_change", args=[Run.objects.get().pk]) in text


def test_the_assistants_page_leads_to_its_runs_and_tokens_whatever_its_id(log_in: LogIn) -> None:
    assessed(run("run_1", assistant_id="asst_&=1"))
    client = log_in("viewer")
    assistant = Assistant.objects.get()
    text = client.get(reverse("admin:migration_app_assistant_change", args=[assistant.pk])).content.decode()
    links = [html.unescape(link) for link in re.findall(r'href="([^"]*asst_%26%3D1)"', text)]
    assert len(links) == 2
    runs, tokens = (client.get(link).content.decode() for link in links)
    assert 'title="run_1"' in runs
    assert ">2025-07<" in tokens
