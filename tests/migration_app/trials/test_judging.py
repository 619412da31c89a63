from __future__ import annotations

import csv

import pytest

from migration_app.csv_files import csv_lines
from migration_app.models import AuditEvent, Trial, TrialResult, TrialTurn
from migration_app.trials.judging import (
    CSV_HEADER,
    JudgingRefusedError,
    left_slot,
    sign_test,
    sign_text,
    trial_reveal,
    trial_tally,
    turn_judge,
    verdict_rows,
)
from tests.migration_app.trials.estate import ACTOR, plain_thread, trial_made, version_made

pytestmark = pytest.mark.django_db


def answered(*, ab: bool = False, turns: int = 3) -> Trial:
    against = version_made("other", instructions="Be brief.") if ab else None
    trial = trial_made(plain_thread(messages=turns * 2), version=version_made(), against=against)
    TrialResult.objects.filter(turn__trial=trial).update(state="done")
    return trial


def turns_of(trial: Trial) -> list[TrialTurn]:
    return list(trial.turns.order_by("position"))


def judged(turn: TrialTurn, choice: str, comment: str = "") -> TrialTurn:
    return turn_judge(turn_pk=turn.pk, choice=choice, comment=comment, actor=ACTOR)


def test_a_judgement_is_kept_and_audited_without_its_comment() -> None:
    turn = judged(turns_of(answered())[0], "better", "it names\x00 the shelf")
    assert (turn.verdict, turn.comment, turn.judged_by_name) == ("better", "it names the shelf", "ada")
    event = AuditEvent.objects.get(verb="trial.turn_judged")
    assert (event.actor, event.reason) == ("ada", "turn 1: better")


def test_a_side_stands_for_the_version_that_stands_there() -> None:
    turn = turns_of(answered(ab=True))[0]
    assert judged(turn, "left").verdict == left_slot(turn)
    assert judged(turn, "right").verdict == ({"a", "b"} - {left_slot(turn)}).pop()
    assert AuditEvent.objects.filter(verb="trial.turn_judged").last() is not None
    assert {event.reason for event in AuditEvent.objects.filter(verb="trial.turn_judged")} == {
        "turn 1: left",
        "turn 1: right (judged before)",
    }


def test_sides_do_not_change_and_both_versions_stand_left_at_times() -> None:
    turns = [TrialTurn(pk=number) for number in range(1, 201)]
    sides = [left_slot(turn) for turn in turns]
    assert sides == [left_slot(turn) for turn in turns]
    assert 70 < sides.count("a") < 130


@pytest.mark.parametrize(("ab", "choice"), [(False, "left"), (True, "better"), (False, ""), (True, "a")])
def test_a_choice_of_the_other_kind_is_refused(ab: bool, choice: str) -> None:
    with pytest.raises(JudgingRefusedError, match="Choose one of"):
        judged(turns_of(answered(ab=ab))[0], choice)


def test_a_turn_without_every_answer_can_not_be_judged() -> None:
    trial = answered(ab=True)
    TrialResult.objects.filter(turn=turns_of(trial)[0], slot="b").update(state="unknown")
    with pytest.raises(JudgingRefusedError, match="not every answer"):
        judged(turns_of(trial)[0], "same")
    assert trial_tally(trial).judgeable == 2


def test_a_blind_comparison_tells_no_counts_and_no_lines() -> None:
    trial = answered(ab=True)
    judged(turns_of(trial)[0], "left")
    tally = trial_tally(trial)
    assert (tally.counts, tally.judged, tally.judgeable) == ({}, 1, 3)
    with pytest.raises(JudgingRefusedError, match="Reveal"):
        list(verdict_rows(trial))


def test_revealing_names_the_versions_and_ends_judging() -> None:
    trial = answered(ab=True)
    for turn in turns_of(trial):
        judged(turn, "same")
    assert trial_reveal(pk=trial.pk, actor=ACTOR)
    assert not trial_reveal(pk=trial.pk, actor=ACTOR)
    trial.refresh_from_db()
    assert trial_tally(trial).counts == {"a": 0, "same": 3, "b": 0}
    assert trial.unjudged_at_reveal == 0
    with pytest.raises(JudgingRefusedError, match="revealed"):
        judged(turns_of(trial)[1], "same")
    assert AuditEvent.objects.get(verb="trial.revealed").reason == ""


def test_revealing_is_refused_while_turns_are_left_unless_it_ends_the_judging() -> None:
    trial = answered(ab=True)
    turn = judged(turns_of(trial)[0], "left")
    with pytest.raises(JudgingRefusedError, match="2 turns are not judged yet"):
        trial_reveal(pk=trial.pk, actor=ACTOR)
    assert trial_reveal(pk=trial.pk, actor=ACTOR, ends_judging=True)
    trial.refresh_from_db()
    tally = trial_tally(trial)
    assert tally.counts == {"a": 0, "same": 0, "b": 0} | {turn.verdict: 1}
    assert tally.text.startswith("Revealed before the end: 2 turns are not judged.")
    assert {row[-1] for row in verdict_rows(trial)} == {2}
    assert AuditEvent.objects.get(verb="trial.revealed").reason == "before the end: 2 turns are not judged"


def test_lines_name_versions_and_verdicts_and_no_content() -> None:
    trial = answered(turns=1)
    judged(turns_of(trial)[0], "worse", "=cmd|private")
    TrialTurn.objects.update(judged_by_name="=cmd|x")
    _header, (*_, verdict, by, _at, _left) = csv.reader(csv_lines(CSV_HEADER, verdict_rows(trial)))
    assert (verdict, by) == ("worse", "'=cmd|x")
    assert "private" not in str(list(verdict_rows(trial)))


@pytest.mark.parametrize(
    ("first", "second", "p"), [(5, 5, 1.0), (0, 6, 0.03125), (9, 1, 0.021484375), (0, 0, 1.0)]
)
def test_the_sign_test_is_the_two_sided_binomial(first: int, second: int, p: float) -> None:
    assert sign_test(first, second) == p


def test_what_nobody_decided_says_nothing() -> None:
    assert "Nothing can be said" in sign_text(0, 0, 7, is_ab=True)
    assert "3.1 %" in sign_text(6, 0, 1, is_ab=False)
    assert "less than 0.1 %" in sign_text(700, 300, 0, is_ab=False)
