"""Try-outs on pages: what each role may, what is shown before and after, and what a blind comparison keeps hidden."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migration_app.models import AuditEvent, Thread, Trial, TrialResult, TrialScratch, TrialTurn
from migration_app.trials.judging import left_slot
from migration_app.trials.trials import content_pack
from tests.migration_app.admin.conftest import HOSTILE, LogIn
from tests.migration_app.engine.conftest import add_page, message
from tests.migration_app.trials.estate import plain_thread, tool_thread, trial_made, version_made

START = "/admin/migration_app/trial/start/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []
    monkeypatch.setattr("migration_app.admin.trials.trials.enqueue", lambda _kind, pk: asked.append(pk))
    return asked


def text_of(response: Any) -> str:
    return str(response.content.decode())


def sealed(client: Client, **query: Any) -> str:
    found = re.search(r'name="sealed" value="([^"]+)"', text_of(client.get(START, {"count": "1", **query})))
    assert found is not None
    return found[1]


def ended(*, ab: bool = False, state: str = "done", answer: str = "New words") -> Trial:
    """A finished try-out of one turn whose answers are there."""
    against = version_made("other", instructions="Be brief.") if ab else None
    trial = trial_made(tool_thread(), version=version_made(), against=against)
    TrialTurn.objects.update(
        content=content_pack({"asked": HOSTILE, "answer": f"Old words {HOSTILE}", "calls": []})
    )
    for result in TrialResult.objects.all():
        calls = [{"name": HOSTILE, "arguments": "{}", "output": None, "hosted": False}]
        content = {"answer": f"{answer} {result.slot}", "calls": calls, "error": ""}
        result.content, result.state, result.status = content_pack(content), state, "completed"
        result.tokens_in, result.tokens_out, result.rounds = 1_234, 56, 1
        result.save()
    Trial.objects.update(state="finished")
    trial.refresh_from_db()
    return trial


def turn_url(trial: Trial, position: int = 0) -> str:
    return reverse("admin:migration_app_trial_turn", args=[trial.pk, position])


def trial_url(trial: Trial, act: str = "") -> str:
    name = "admin:migration_app_trial_"
    return reverse(f"{name}act", args=[trial.pk, act]) if act else reverse(f"{name}change", args=[trial.pk])


@pytest.mark.parametrize(
    ("role", "status"), [("anonymous", 302), ("newcomer", 403), ("viewer", 403), ("operator", 200)]
)
def test_only_those_who_may_try_prompts_can_start(role: str, status: int, log_in: LogIn) -> None:
    client = log_in(role)
    assert client.get(START).status_code == status
    assert client.post(START, {"reason": "x"}).status_code == (400 if status == 200 else status)


def test_counting_tells_every_call_and_changes_nothing(log_in: LogIn, enqueued: list[int]) -> None:
    plain_thread()
    version_made()
    page = text_of(log_in("operator").get(START, {"count": "1", "a": "clerk", "threads": "thread_1"}))
    figures = dict(re.findall(r'<span class="mc-soft">([^<]+)</span><b>([^<]+)</b>', page))
    assert figures["Creates"] == "1"
    assert figures["Appends"] == "2"
    assert figures["Responses"] == "3"
    assert figures["Deletes, at least"] == "14"
    assert (Trial.objects.count(), AuditEvent.objects.filter(verb="trial.started").count(), enqueued) == (
        0,
        0,
        [],
    )


def test_what_was_counted_is_started_with_budget_and_reason(log_in: LogIn, enqueued: list[int]) -> None:
    plain_thread()
    version_made()
    client = log_in("operator")
    form = {"sealed": sealed(client, a="clerk", threads="thread_1"), "max_calls": "6", "max_tokens": "50,000"}
    response = client.post(START, {**form, "reason": "before cut-over"})
    trial = Trial.objects.get()
    assert response["Location"] == trial_url(trial)
    assert (trial.max_calls, trial.max_tokens, trial.turns.count(), enqueued) == (6, 50_000, 3, [trial.pk])
    event = AuditEvent.objects.get(verb="trial.started")
    assert (event.actor, "before cut-over" in event.reason) == ("operator", True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"reason": " "}, "Say why"),
        ({"max_calls": "0"}, "The budget has 1 to"),
        ({"max_tokens": "many"}, "must be a whole number"),
        ({"sealed": "x"}, "did not arrive whole"),
    ],
)
def test_a_form_that_can_not_be_started_says_why(change: dict[str, str], text: str, log_in: LogIn) -> None:
    plain_thread()
    version_made()
    client = log_in("operator")
    query = {"count": "1", "a": "clerk", "threads": "thread_1"}
    form = {"sealed": sealed(client, **query), "max_calls": "6", "max_tokens": "9", "reason": "r", **change}
    response = client.post(f"{START}?count=1&a=clerk&threads=thread_1", form)
    assert (response.status_code, text in text_of(response), Trial.objects.count()) == (400, True, 0)


def test_numbers_that_are_no_longer_true_are_not_started(log_in: LogIn) -> None:
    thread = plain_thread()
    version_made()
    client = log_in("operator")
    form = {"sealed": sealed(client, a="clerk", threads="thread_1"), "max_calls": "6", "max_tokens": "9"}
    add_page(thread, [message("thread_1", number) for number in (6, 7)], origin="import-2")
    response = client.post(START, {**form, "reason": "r"})
    assert "have changed since" in text_of(response)
    assert Trial.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"a": "nobody"}, "There is no prompt version"),
        ({"a": "clerk", "b": "clerk"}, "Choose two different versions"),
        ({"a": "clerk", "threads": "thread_1 thread_none"}, "the first is thread_none"),
        ({"a": "clerk", "turns": "x"}, "Turns must be a whole number"),
        ({"a": "clerk", "limit": "101"}, "Take 1 to 100 threads"),
        ({"a": "clerk", "batch__id__exact": "x"}, "value can&#x27;t be read"),
        ({"a": "clerk", "assistant": "asst_none"}, "no assistant with this id"),
        ({"a": "clerk", "status__exact": "verified"}, "there is nothing to try"),
    ],
)
def test_what_can_not_be_counted_says_why(query: dict[str, str], text: str, log_in: LogIn) -> None:
    plain_thread()
    version_made()
    page = text_of(log_in("operator").get(START, {"count": "1", **query}))
    assert text in page
    assert 'name="sealed"' not in page


def test_the_newest_threads_that_match_are_taken(log_in: LogIn) -> None:
    for number in range(3):
        plain_thread(f"thread_{number}")
    version_made()
    client = log_in("operator")
    form = {"sealed": sealed(client, a="clerk@1", status__exact="snapshotted", limit="2", turns="1")}
    client.post(START, {**form, "max_calls": "9", "max_tokens": "9", "reason": "r"})
    taken = Trial.objects.get().turns.values_list("thread__thread_id", flat=True)
    assert set(taken) == {"thread_1", "thread_2"}


def test_the_answers_are_shown_escaped_to_those_who_may_see_content_and_that_is_audited(
    log_in: LogIn,
) -> None:
    trial = ended()
    page = text_of(log_in("operator").get(turn_url(trial)))
    assert "<script>alert" not in page
    assert "New" in page
    assert "1,234 / 56" in page
    assert "no recorded output: needs a tool result" in page
    event = AuditEvent.objects.get(verb="trial.content_viewed")
    assert event.reason == "turn 1, thread thread_tool"


def test_what_the_target_refused_is_shown_unless_it_may_name_the_model(log_in: LogIn) -> None:
    trial = ended(ab=True, state="failed")
    for result in TrialResult.objects.all():
        result.content = content_pack({"answer": "", "calls": [], "error": "o3 refuses temperature."})
        result.save()
    client = log_in("operator")
    assert "o3 refuses temperature." not in text_of(client.get(turn_url(trial)))
    client.post(trial_url(trial, "reveal"), {"ends_judging": "on"})
    assert "o3 refuses temperature." in text_of(client.get(turn_url(trial)))


def test_others_see_no_content_and_can_not_judge(log_in: LogIn) -> None:
    trial = ended()
    client = log_in("viewer")
    page = text_of(client.get(turn_url(trial)))
    assert "New words" not in page
    assert "alert(" not in page
    assert client.post(turn_url(trial), {"verdict": "better"}).status_code == 403
    assert AuditEvent.objects.filter(verb="trial.content_viewed").count() == 0


def test_a_judgement_leads_to_the_next_turn_and_then_back(log_in: LogIn) -> None:
    trial = ended()
    response = log_in("operator").post(turn_url(trial), {"verdict": "better", "comment": HOSTILE})
    assert response["Location"] == trial_url(trial)
    assert TrialTurn.objects.get().verdict == "better"


@pytest.mark.parametrize("page", ["turn", "trial"])
def test_a_blind_comparison_names_no_side_and_no_tokens(page: str, log_in: LogIn) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    client.post(turn_url(trial), {"verdict": "left"})
    shown = text_of(client.get(turn_url(trial) if page == "turn" else trial_url(trial)))
    assert "1,234" not in shown
    assert "Left: " not in shown
    assert "left is better" in shown


def test_the_sides_stand_by_the_turn_and_are_named_once_revealed(log_in: LogIn) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    left = left_slot(TrialTurn.objects.get())
    right = "b" if left == "a" else "a"
    diff = text_of(client.get(turn_url(trial))).split('id="diff"')[1]
    assert diff.index(f"<del>{left}</del>") < diff.index(f"<ins>{right}</ins>")
    client.post(trial_url(trial, "reveal"), {"ends_judging": "on"})
    shown = text_of(client.get(turn_url(trial)))
    assert f"Left: {trial.version_of(left)}" in shown
    assert "1,234" in shown
    assert 'name="verdict"' not in shown


@pytest.mark.parametrize(
    ("tokens", "shown"), [((None, None), "not recorded"), ((1_500, None), "1,500 / 0"), ((0, 7), "0 / 7")]
)
def test_tokens_of_the_old_answer_are_shown_as_far_as_they_were_recorded(
    tokens: tuple[int | None, int | None], shown: str, log_in: LogIn
) -> None:
    trial = ended()
    TrialTurn.objects.update(old_tokens_in=tokens[0], old_tokens_out=tokens[1])
    assert shown in text_of(log_in("operator").get(turn_url(trial)))


def test_verdicts_are_downloaded_without_content_once_they_may_be(log_in: LogIn) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    url = reverse("admin:migration_app_trial_csv", args=[trial.pk])
    assert client.post(url).status_code == 302
    client.post(trial_url(trial, "reveal"), {"ends_judging": "on"})
    response: Any = client.post(url)
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert len(lines) == 3
    assert "text" not in "".join(lines)
    assert AuditEvent.objects.filter(verb="trial.exported").count() == 1


@pytest.mark.parametrize("act", ["stop", "resume", "clean", "reveal"])
def test_acts_need_their_permission_and_a_post(act: str, log_in: LogIn) -> None:
    trial = ended()
    assert log_in("viewer").post(trial_url(trial, act)).status_code == 403
    assert log_in("operator").get(trial_url(trial, act)).status_code == 302


def test_a_stopped_one_goes_on_with_the_budget_that_was_given(log_in: LogIn, enqueued: list[int]) -> None:
    trial = trial_made(plain_thread())
    client = log_in("operator")
    client.post(trial_url(trial, "stop"))
    Trial.objects.update(state="stopped")
    client.post(trial_url(trial, "resume"), {"max_calls": "11", "max_tokens": "12", "reason": "go on"})
    trial.refresh_from_db()
    assert (trial.state, trial.max_calls, trial.max_tokens, enqueued) == (
        "queued",
        11,
        12,
        [trial.pk, trial.pk],
    )


def test_an_act_that_came_too_late_says_so(log_in: LogIn, enqueued: list[int]) -> None:
    trial, client = ended(ab=True), log_in("operator")
    asked = {"max_calls": "11", "max_tokens": "12", "reason": "go on", "ends_judging": "on"}
    client.post(trial_url(trial, "reveal"), asked)
    for act, said in (
        ("stop", "It was over already."),
        ("clean", "There is nothing to delete."),
        ("reveal", "There is nothing to reveal."),
    ):
        assert said in text_of(client.post(trial_url(trial, act), asked, follow=True)), act
    assert enqueued == []


def test_a_verdict_that_does_not_fit_is_refused_with_the_reason(log_in: LogIn) -> None:
    trial, client = ended(), log_in("operator")
    for verdict in ("", "left", "explode"):
        assert client.post(turn_url(trial), {"verdict": verdict}).status_code == 400
    assert TrialTurn.objects.get().verdict == ""


def test_verdicts_of_a_blind_comparison_are_not_downloaded(log_in: LogIn) -> None:
    trial, client = ended(ab=True), log_in("operator")
    csv = reverse("admin:migration_app_trial_csv", args=[trial.pk])
    assert client.get(csv)["Location"] == trial_url(trial)
    assert "Reveal the versions first" in text_of(client.post(csv, follow=True))
    assert not AuditEvent.objects.filter(verb="trial.exported").exists()


def test_what_was_left_at_the_target_is_listed(log_in: LogIn) -> None:
    trial = ended()
    fields: dict[str, Any] = {"trial": trial, "thread": Thread.objects.get(), "slot": "a"}
    TrialScratch.objects.create(
        state="left_behind", conversation_id="conv_left", left_behind="It resists.", **fields
    )
    TrialScratch.objects.create(state="lost", **fields)
    client = log_in("operator")
    page = text_of(client.get(trial_url(trial)))
    assert "conv_left" in page
    assert "It resists." in page
    client.post(trial_url(trial, "clean"))
    trial.refresh_from_db()
    assert trial.state == "stopping"


@pytest.mark.parametrize(
    ("states", "offered"), [(["left_behind"], True), (["lost"], False), (["lost", "left_behind"], True)]
)
def test_cleaning_is_offered_where_there_is_something_to_delete(
    states: list[str], offered: bool, log_in: LogIn
) -> None:
    trial = ended()
    for state in states:
        TrialScratch.objects.create(
            trial=trial, thread=Thread.objects.get(), slot="a", state=state, conversation_id="conv_left"
        )
    page = log_in("operator").get(trial_url(trial)).content.decode()
    assert (trial_url(trial, "clean") in page) == offered
    assert trial_url(trial, "clean") not in log_in("viewer").get(trial_url(trial)).content.decode()


def test_progress_is_told_without_content(log_in: LogIn) -> None:
    trial = trial_made(plain_thread())
    told = log_in("viewer").get(reverse("admin:migration_app_trial_progress", args=[trial.pk])).json()
    assert (told["open"], told["percent"], told["counts"]["waiting"]) == (True, 0, 3)


def test_a_turn_that_is_not_there_is_a_404(log_in: LogIn) -> None:
    trial = ended()
    assert log_in("operator").get(turn_url(trial, 7)).status_code == 404


@pytest.mark.parametrize(
    ("role", "ab", "state", "offered"),
    [
        ("operator", True, "finished", True),
        ("operator", True, "stopped", True),
        ("operator", True, "failed", True),
        ("operator", True, "running", False),
        ("operator", True, "queued", False),
        ("operator", False, "finished", False),
        ("viewer", True, "finished", False),
    ],
)
def test_revealing_is_offered_to_those_who_may_once_a_comparison_has_ended(
    role: str, ab: bool, state: str, offered: bool, log_in: LogIn
) -> None:
    trial = ended(ab=ab)
    Trial.objects.update(state=state)
    response = log_in(role).get(trial_url(trial))
    assert response.context["may_reveal"] is offered
    assert (trial_url(trial, "reveal") in text_of(response)) is offered


def test_revealing_before_all_is_judged_needs_a_second_confirmation_and_marks_the_result(
    log_in: LogIn,
) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    assert "Reveal before all turns are judged" in text_of(client.get(trial_url(trial)))
    refused = client.post(trial_url(trial, "reveal"))
    trial.refresh_from_db()
    assert (refused.status_code, trial.revealed_at) == (400, None)
    assert "1 turn is not judged yet" in text_of(refused)
    client.post(trial_url(trial, "reveal"), {"ends_judging": "on"})
    assert "ended the judging with 1 turn left" in text_of(client.get(trial_url(trial)))


def test_a_comparison_that_is_judged_to_its_end_is_revealed_at_once_and_unmarked(log_in: LogIn) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    client.post(turn_url(trial), {"verdict": "left"})
    page = text_of(client.get(trial_url(trial)))
    assert "Reveal before all turns are judged" not in page
    client.post(trial_url(trial, "reveal"))
    trial.refresh_from_db()
    assert trial.revealed_at is not None
    assert 'id="ended-early"' not in text_of(client.get(trial_url(trial)))


def test_what_was_revealed_is_not_offered_to_be_revealed_again(log_in: LogIn) -> None:
    trial = ended(ab=True)
    client = log_in("operator")
    client.post(trial_url(trial, "reveal"), {"ends_judging": "on"})
    assert client.get(trial_url(trial)).context["may_reveal"] is False
