"""What people think of a try-out's answers: judged one by one, blind where two versions are compared, then counted."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Trial, TrialResult, TrialTurn

_V = TrialTurn.Verdict
_R = TrialResult.State

ANSWERED = (_R.DONE, _R.NEEDS_TOOL, _R.LOOP_LIMIT)
"""Results that there is something to judge of."""

CHOICES = ("better", "same", "worse")
AB_CHOICES = ("left", "same", "right")

CSV_HEADER = (
    "turn",
    "thread_id",
    "message_id",
    "slot",
    "prompt",
    "version",
    "state",
    "status",
    "error_code",
    "responses",
    "tokens_in",
    "tokens_out",
    "milliseconds",
    "verdict",
    "judged_by",
    "judged_at",
    "unjudged_at_reveal",
)


class JudgingRefusedError(ValueError):
    """It can't be judged like this; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class JudgementTally:
    """How often each verdict was given, how many turns can be judged, and a summary."""

    counts: dict[str, int]
    judged: int
    judgeable: int
    text: str


def left_slot(turn: TrialTurn) -> str:
    """Which version is left: the same for everybody, always, and balanced over many turns."""
    return "ab"[hashlib.sha256(f"trial turn {turn.pk}".encode()).digest()[0] % 2]


def judgeable_turns(trial: Trial) -> QuerySet[TrialTurn]:
    """Turns that every version has answered."""
    return (
        TrialTurn.objects.filter(trial=trial)
        .annotate(missing=Count("results", filter=~Q(results__state__in=ANSWERED)), made=Count("results"))
        .filter(missing=0, made__gt=0)
        .order_by("position")
    )


def turn_judge(*, turn_pk: int, choice: str, comment: str, actor: Actor) -> TrialTurn:
    """Record a person's judgement. JudgingRefusedError if the turn can't be judged, or so.

    ``choice``: better, same, worse than the old answer; or left, same, right. The comment stays out of the audit: it
    may quote content.
    """
    with transaction.atomic():
        turn = (
            TrialTurn.objects.select_for_update(of=("self", "trial")).select_related("trial").get(pk=turn_pk)
        )
        trial = turn.trial
        if choice not in (AB_CHOICES if trial.is_ab else CHOICES):
            raise JudgingRefusedError(f"Choose one of: {', '.join(AB_CHOICES if trial.is_ab else CHOICES)}.")
        if trial.revealed_at is not None:
            raise JudgingRefusedError(
                "The versions were revealed, so this comparison can't be judged any more."
            )
        if turn.results.exclude(state__in=ANSWERED).exists():
            raise JudgingRefusedError("There is nothing to judge yet: not every answer is there.")
        before, left = turn.verdict, left_slot(turn)
        right = "b" if left == "a" else "a"
        turn.verdict = {"left": left, "right": right}.get(choice, choice)
        turn.comment = comment.replace("\x00", "")[:4_000]
        turn.judged_by_name, turn.judged_at = actor.name[:255], timezone.now()
        turn.save(update_fields=["verdict", "comment", "judged_by_name", "judged_at"])
        # Blind: the trail says left or right, as the person did.
        text = choice + (" (judged before)" if before else "")
        audit_record(
            actor=actor,
            verb="trial.turn_judged",
            subject_kind="trial",
            subject_id=str(trial.pk),
            reason=f"turn {turn.position + 1}: {text}",
        )
    return turn


def turns_unjudged(trial: Trial) -> int:
    """How many turns could be judged and are not."""
    return judgeable_turns(trial).filter(verdict="").count()


def trial_reveal(*, pk: int, actor: Actor, ends_judging: bool = False) -> bool:
    """Name the versions; judging ends with it. False if there is nothing to reveal.

    While turns are left to judge it is refused (JudgingRefusedError) unless ``ends_judging``: who knows the versions
    is not blind any more. Then the result is marked with how many were left.
    """
    with transaction.atomic():
        trial = Trial.objects.select_for_update().filter(pk=pk).first()
        if trial is None or not trial.is_blind:
            return False
        unjudged = turns_unjudged(trial)
        if unjudged and not ends_judging:
            raise JudgingRefusedError(
                f"{_turns(unjudged)} not judged yet. Judge what is left, or confirm that the judging ends here."
            )
        trial.revealed_at, trial.revealed_by_name = timezone.now(), actor.name[:255]
        trial.unjudged_at_reveal = unjudged
        trial.save(update_fields=["revealed_at", "revealed_by_name", "unjudged_at_reveal"])
        audit_record(
            actor=actor,
            verb="trial.revealed",
            subject_kind="trial",
            subject_id=str(pk),
            reason=f"before the end: {_turns(unjudged)} not judged" if unjudged else "",
        )
    return True


def _turns(count: int) -> str:
    return "1 turn is" if count == 1 else f"{count:,} turns are"


def trial_tally(trial: Trial) -> JudgementTally:
    """Count the verdicts. Of a blind comparison only their number is shown."""
    given = Counter(
        TrialTurn.objects.filter(trial=trial).exclude(verdict="").values_list("verdict", flat=True)
    )
    judgeable = judgeable_turns(trial).count()
    judged = sum(given.values())
    if trial.is_blind:
        return JudgementTally(
            {}, judged, judgeable, f"{judged} of {judgeable} turns judged; counted once revealed."
        )
    names = (_V.A, _V.SAME, _V.B) if trial.is_ab else (_V.BETTER, _V.SAME, _V.WORSE)
    counts = {str(name): given[name] for name in names}
    first, same, second = counts.values()
    text = sign_text(first, second, same, is_ab=trial.is_ab)
    if trial.unjudged_at_reveal:
        text = f"Revealed before the end: {_turns(trial.unjudged_at_reveal)} not judged. {text}"
    return JudgementTally(counts, judged, judgeable, text)


def sign_text(first: int, second: int, same: int, *, is_ab: bool) -> str:
    """What the counts say, and how little: a two-sided sign test over the turns where one was better."""
    decided = first + second
    names = ("A was better", "B was better") if is_ab else ("the new answer was better", "it was worse")
    result = f"In {first} turns {names[0]}, in {second} {names[1]}, in {same} there was no difference."
    if not decided:
        return f"{result} Nothing can be said from that."
    chance = sign_test(first, second)
    shown = "less than 0.1 %" if chance < 0.001 else f"{chance * 100:.1f} %"
    return (
        f"{result} If neither were better in truth, a split at least as uneven as {first} to {second} would still come "
        f"about in {shown} of such comparisons. Several turns of one thread are no independent witnesses."
    )


def sign_test(first: int, second: int) -> float:
    """The two-sided p of the sign test."""
    decided, fewer = first + second, min(first, second)
    tail = sum(math.comb(decided, count) for count in range(fewer + 1))
    return min(1.0, float(Fraction(2 * tail, 1 << decided)))


def verdict_rows(trial: Trial) -> Iterator[tuple[object, ...]]:
    """Lines below ``CSV_HEADER``: one a result, without content. A blind comparison's are refused."""
    if trial.is_blind:
        raise JudgingRefusedError("Reveal the versions first: the file names them.")
    results = (
        TrialResult.objects.filter(turn__trial=trial)
        .select_related("turn__thread")
        .order_by("turn__position", "slot")
    )
    for result in results.iterator(chunk_size=500):
        turn, version = result.turn, trial.version_of(result.slot)
        yield (
            turn.position + 1,
            turn.thread.thread_id,
            turn.message_id,
            result.slot,
            version.prompt.slug,
            version.number,
            result.state,
            result.status,
            result.error_code,
            result.rounds,
            result.tokens_in,
            result.tokens_out,
            result.milliseconds,
            turn.verdict,
            turn.judged_by_name,
            f"{turn.judged_at:%Y-%m-%dT%H:%M:%SZ}" if turn.judged_at else "",
            trial.unjudged_at_reveal,
        )
