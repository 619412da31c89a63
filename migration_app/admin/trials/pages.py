"""What a try-out's pages show: its turns in a table, and one turn with the answers side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count

from migration_app.admin.base.badges import Badge
from migration_app.contracts import JsonObject
from migration_app.conversion.comparison.word_diff import text_diff
from migration_app.models import Trial, TrialResult, TrialScratch, TrialTurn
from migration_app.trials.judging import AB_CHOICES, CHOICES, left_slot
from migration_app.trials.plan import Costs
from migration_app.trials.trials import content_unpack, results_of

_S = Trial.State
_R = TrialResult.State
_CALLS_SHOWN = 50
_CHARACTERS_SHOWN = 4_000

STATE_COLOURS: Mapping[str, str] = {
    _S.QUEUED: "",
    _S.RUNNING: "primary",
    _S.STOPPING: "warning",
    _S.STOPPED: "warning",
    _S.FINISHED: "success",
    _S.FAILED: "danger",
}
_RESULT_COLOURS: Mapping[str, str] = {
    _R.PENDING: "",
    _R.ASKING: "primary",
    _R.DONE: "success",
    _R.NEEDS_TOOL: "warning",
    _R.LOOP_LIMIT: "warning",
    _R.FAILED: "danger",
    _R.UNKNOWN: "danger",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """One answer: how it is named, how it ended, what it used (empty while that is hidden), its text."""

    title: str
    badge: Badge | None
    facts: tuple[tuple[str, str], ...]
    text: str
    calls: tuple[JsonObject, ...]
    more_calls: int
    error: str


def state_badge(row: Trial) -> Badge:
    """Coloured state."""
    return Badge(row.get_state_display(), STATE_COLOURS.get(row.state, ""))


def result_badge(result: TrialResult) -> Badge:
    """Coloured state of one answer."""
    return Badge(result.get_state_display(), _RESULT_COLOURS.get(result.state, ""))


def scratch_badge(scratch: TrialScratch) -> Badge:
    """Coloured state of a scratch conversation."""
    danger = scratch.state in (TrialScratch.State.LOST, TrialScratch.State.LEFT_BEHIND)
    return Badge(scratch.get_state_display(), "danger" if danger else "primary")


def verdict_text(trial: Trial, turn: TrialTurn) -> str:
    """The verdict as it may be shown now: of a blind comparison by side; empty before there is one."""
    if trial.is_blind and turn.verdict in ("a", "b"):
        return "left is better" if turn.verdict == left_slot(turn) else "right is better"
    return turn.get_verdict_display()


def turn_rows(trial: Trial, turns: Sequence[TrialTurn]) -> list[dict[str, Any]]:
    """Lines of the table of turns. Tokens and times of a blind comparison could give a version away."""
    return [
        {
            "turn": turn,
            "badges": [result_badge(result) for result in _ordered(trial, turn)],
            "facts": [] if trial.is_blind else [_spent(result) for result in _ordered(trial, turn)],
            "old": _old_spent(turn),
            "verdict": verdict_text(trial, turn),
        }
        for turn in turns
    ]


def turn_context(trial: Trial, turn: TrialTurn, *, may_see: bool) -> dict[str, Any]:
    """What the page of one turn shows: two sides, laid beside each other word by word."""
    old = content_unpack(turn.content) if may_see else {}
    original = _original(turn, old)
    results = _ordered(trial, turn)
    if trial.is_ab:
        names = [
            "Left" if trial.is_blind else f"Left: {trial.version_of(results[0].slot)}",
            "Right" if trial.is_blind else f"Right: {trial.version_of(results[1].slot)}",
        ]
        left, right = (
            _side(trial, result, name, may_see) for result, name in zip(results, names, strict=True)
        )
    else:
        left, right = original, _side(trial, results[0], f"New answer of {trial.version_a}", may_see)
    return {
        "asked": str(old.get("asked", ""))[: _CHARACTERS_SHOWN * 5],
        "left": left,
        "right": right,
        "sides": (left, right),
        "answered_then": original if trial.is_ab else None,
        "diff": text_diff(left.text, right.text) if may_see else None,
        "verdict": verdict_text(trial, turn),
    }


def trial_counts(row: Trial) -> dict[str, int]:
    """How the answers ended, and what was spent."""
    found = dict(results_of(row).order_by().values_list("state").annotate(n=Count("pk")))
    return {
        "answered": found.get(_R.DONE, 0),
        "incomplete": found.get(_R.NEEDS_TOOL, 0) + found.get(_R.LOOP_LIMIT, 0),
        "failed": found.get(_R.FAILED, 0),
        "unknown": found.get(_R.UNKNOWN, 0),
        "waiting": found.get(_R.PENDING, 0) + found.get(_R.ASKING, 0),
        "calls": row.calls,
        "tokens": row.tokens,
        "cleaning": row.cleaning_calls,
    }


def trial_percent(row: Trial) -> int:
    """Share of answers that need no more waiting."""
    counts = trial_counts(row)
    whole = sum(counts[name] for name in ("answered", "incomplete", "failed", "unknown", "waiting"))
    return int((whole - counts["waiting"]) * 100 / whole) if whole else 100


def trial_progress_text(row: Trial) -> str:
    """Say how far it is, against its budget."""
    counts = trial_counts(row)
    text = f"{row.calls:,} of {row.max_calls:,} calls, {row.tokens:,} of {row.max_tokens:,} tokens"
    return f"{counts['waiting']:,} answers to come; {text}." if counts["waiting"] else f"{text}."


def trial_estimate(row: Trial) -> list[tuple[str, str]]:
    """What the operator was shown before confirming."""
    names = [field.name for field in dataclasses.fields(Costs)]
    costs = Costs(**{name: int(row.estimated.get(name, 0)) for name in names})
    return cost_figures(costs, turns=row.estimated.get("turns", 0), threads=row.estimated.get("threads", 0))


def cost_figures(costs: Costs, *, turns: int, threads: int) -> list[tuple[str, str]]:
    """What it takes, for people."""
    responses = f"{costs.responses_least:,}"
    if costs.responses_most != costs.responses_least:
        responses += f" to {costs.responses_most:,}"
    return [
        ("Turns", f"{turns:,}"),
        ("Threads", f"{threads:,}"),
        ("Creates", f"{costs.creates:,}"),
        ("Appends", f"{costs.appends:,}"),
        ("Responses", responses),
        ("Deletes, at least", f"{costs.deletes_least:,}"),
        ("Reads, at least", f"{costs.reads_least:,}"),
        ("Tokens, at most (estimated)", f"{costs.tokens_most:,}"),
    ]


def trial_choices(row: Trial) -> list[tuple[str, str]]:
    """What may be shown of a turn, with its text."""
    text = {
        "better": "The new answer is better",
        "worse": "The new answer is worse",
        "left": "Left is better",
        "right": "Right is better",
        "same": "No difference that matters",
    }
    return [(name, text[name]) for name in (AB_CHOICES if row.is_ab else CHOICES)]


def _ordered(trial: Trial, turn: TrialTurn) -> list[TrialResult]:
    """The answers in order: left first."""
    results = sorted(turn.results.all(), key=lambda result: result.slot)
    return results[::-1] if trial.is_ab and left_slot(turn) == "b" else results


def _original(turn: TrialTurn, old: JsonObject) -> Side:
    calls = old.get("calls", [])
    facts: tuple[tuple[str, str], ...] = (("Tokens in / out", _old_spent(turn) or "not recorded"),)
    if turn.old_seconds is not None:
        facts += (("Run took", f"{turn.old_seconds:.1f} s"),)
    return Side(
        "Original answer",
        None,
        facts,
        str(old.get("answer", "")),
        _calls(calls),
        max(0, len(calls) - _CALLS_SHOWN),
        "",
    )


def _side(trial: Trial, result: TrialResult, title: str, may_see: bool) -> Side:
    content = content_unpack(result.content) if may_see else {}
    calls = content.get("calls", [])
    facts: tuple[tuple[str, str], ...] = ()
    if not trial.is_blind:
        facts = (
            ("Tokens in / out", _spent(result)),
            ("Took", f"{result.milliseconds / 1000:.1f} s in {result.rounds} responses"),
            ("Response", f"{result.status or '–'}{f' ({result.error_code})' if result.error_code else ''}"),
        )
    return Side(
        title,
        result_badge(result),
        facts,
        str(content.get("answer", "")),
        _calls(calls),
        max(0, len(calls) - _CALLS_SHOWN),
        # A refusal may name the model.
        "" if trial.is_blind else str(content.get("error", ""))[:_CHARACTERS_SHOWN],
    )


def _calls(calls: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    return tuple(
        {
            "name": str(call.get("name", ""))[:200],
            "arguments": _shown(call.get("arguments")),
            "output": None if call.get("output") is None else _shown(call["output"]),
            "hosted": bool(call.get("hosted")),
        }
        for call in calls[:_CALLS_SHOWN]
    )


def _shown(value: object) -> str:
    text = str(value or "")
    return text if len(text) <= _CHARACTERS_SHOWN else f"{text[:_CHARACTERS_SHOWN]}…"


def _spent(result: TrialResult) -> str:
    return f"{result.tokens_in:,} / {result.tokens_out:,}"


def _old_spent(turn: TrialTurn) -> str:
    if turn.old_tokens_in is None and turn.old_tokens_out is None:
        return ""
    return f"{turn.old_tokens_in or 0:,} / {turn.old_tokens_out or 0:,}"
