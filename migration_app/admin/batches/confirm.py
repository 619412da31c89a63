"""The page between an action and its effect: how many threads, calls and chunks, what is left out, and why.

Showing it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from migration_app.admin.base.badges import (
    Badge,
    fidelity_badge,
    severity_badge,
    thread_badge,
)
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.durations import duration_text
from migration_app.admin.base.people import people_text
from migration_app.admin.base.rendering import bytes_text
from migration_app.admin.base.selections import selection_check, selection_summary
from migration_app.admin.batches.forms import POLICY_FIELD, ConfirmForm
from migration_app.batches.approvals import approval_needed
from migration_app.batches.duplicates import OPEN, batches_alike, newest_alike
from migration_app.batches.kinds import BatchKind, ThreadAction
from migration_app.batches.preflight import Preflight
from migration_app.batches.preflight_large import matching_text, page_preflight
from migration_app.batches.preflight_report import (
    HEADER,
    preflight_command,
    preflight_rows,
    sample_text,
)
from migration_app.batches.rates import TODAY, calls_a_minute, estate_rate, estimated_duration
from migration_app.contracts import Actor, Policies
from migration_app.conversion.policies import POLICY_TEXTS
from migration_app.threads.plans import policies_summary

APPROVE = "migration_app.approve_rollback"
_ALIKE_SHOWN = 3
_LONGEST_CALLS = 2**62
_NOTHING_COUNTED: Mapping[str, Any] = {
    "may_start": True,
    "preflight": None,
    "known": None,
    "alike": [],
    "approval_needed": "",
    "approval_limit": 0,
    "approvers": "",
    "duration": "",
    "calls": None,
    "sample_text": "",
    "left_out": [],
    "policies": [],
    "policies_summary": "",
    "command": "",
    "fidelities": [],
    "findings": [],
    "no_findings": "",
    "longest": [],
    "source_missing": False,
}
"""The page of an action that takes all that is selected: no figures but how many."""


def confirm_context(
    action: ThreadAction, selection: Mapping[str, Any], policies: Policies, form: ConfirmForm, *, actor: Actor
) -> dict[str, Any]:
    """Collect the confirm page's figures, under these policies, and what this person must know before. Reads only."""
    selection_check(selection)
    kind = action.counted
    context: dict[str, Any] = {
        **_NOTHING_COUNTED,
        "action": action,
        "form": form,
        "option_fields": [form[option.name] for option in action.options],
        "starts_batch": isinstance(action, BatchKind),
        "selection_summary": selection_summary(selection),
    }
    if kind is None:
        matching = matching_text(selection)
        return {**context, "matching": matching, "taken": matching, "figures": [("Threads", matching)]}
    preflight = page_preflight(selection, kind.name, policies)
    return {
        **context,
        "matching": _at_least(preflight, preflight.matching),
        "taken": preflight.taken,
        # If not all were checked, there may be some among the others.
        "may_start": bool(preflight.taken or not preflight.counted),
        "sample_text": sample_text(preflight) if preflight.sampled else "",
        "figures": preflight_figures(kind, preflight),
        "left_out": left_out_rows(kind, preflight),
        "preflight": preflight,
        **_duplicates(action, selection),
        **_second_person(kind, preflight, actor),
        **_time(kind, preflight, form.typed_rate),
        "policies": _policy_rows(preflight, form),
        "policies_summary": policies_summary(policies),
        "command": preflight_command(selection, kind.name, policies)
        if kind.converts and (preflight.sampled or not preflight.exact)
        else "",
        "fidelities": [
            {"badge": fidelity_badge(fidelity) or Badge("not assessed"), "count": f"{count:,}"}
            for fidelity, count in sorted(preflight.by_fidelity.items())
        ]
        if kind.converts
        else [],
        "findings": [
            {
                "code": finding.code,
                "badge": severity_badge(finding.severity),
                "threads": f"{finding.threads:,}",
                "count": f"{finding.count:,}",
                # Recalculated figures differ from the rows: such a list would be another.
                "url": "" if preflight.converted else _finding_url(selection, finding.code),
            }
            for finding in preflight.findings
        ]
        if kind.converts
        else [],
        "no_findings": _no_findings_text(preflight),
        "longest": preflight.longest if kind.converts else [],
        "source_missing": kind.needs_source and not settings.SOURCE_BASE_URL,
    }


def _no_findings_text(preflight: Preflight) -> str:
    """What it means that no finding is listed: of all threads only if all were assessed, and read here."""
    not_assessed = preflight.by_fidelity.get("", 0)
    if not_assessed:
        return f"No findings so far. {not_assessed:,} of the threads are not assessed yet."
    if preflight.sampled:
        return "No findings in the threads that were read for this page."
    return "No findings: everything arrives unchanged."


def _duplicates(action: ThreadAction, selection: Mapping[str, Any]) -> dict[str, Any]:
    """What a start must know: the newest batch that does the same, and those of them that are not over."""
    if not isinstance(action, BatchKind):
        return {}
    return {
        "known": newest_alike(action.name, selection),
        "alike": [
            {
                "batch": batch,
                "url": reverse("admin:migration_app_batch_change", args=[batch.pk]),
                "ago": duration_text(timezone.now() - batch.created_at),
            }
            for batch in batches_alike(action.name, selection).filter(state__in=OPEN)[:_ALIKE_SHOWN]
        ],
    }


def _second_person(kind: BatchKind, preflight: Preflight, actor: Actor) -> dict[str, Any]:
    """Whether a second person must approve it, and who can; said before it is started."""
    if not kind.approved:
        return {}
    return {
        "approval_needed": approval_needed(kind=kind.name, chosen={}, threads=preflight.taken, actor=actor),
        "approval_limit": settings.APPROVAL_ABOVE_THREADS,
        "approvers": people_text(APPROVE, but=actor),
    }


def _time(kind: BatchKind, preflight: Preflight, throttle: int | None) -> dict[str, Any]:
    """The calls, where all threads were counted, and how long they will take; or that nobody knows."""
    calls = calls_of(kind, preflight)
    if calls is None:
        return {}
    expected, takes = (
        calls_a_minute(requests_per_minute=throttle),
        estimated_duration(calls, requests_per_minute=throttle),
    )
    if expected is None or takes is None:
        text = (
            "How long it will take is not known yet: no worker has made calls in the last 24 hours, and no limit is "
            "set (TARGET_REQUESTS_PER_MINUTE)."
        )
    else:
        about = "About" if preflight.counted else "At least"
        text = (
            f"{about} {duration_text(takes)} at {_rate_source(throttle)} of {expected:,.0f} calls a minute."
        )
    return {"duration": text, "calls": min(calls, _LONGEST_CALLS) if preflight.counted else None}


def _rate_source(throttle: int | None) -> str:
    """Which of the rates and limits is the lowest, for people."""
    without = calls_a_minute()
    if throttle is not None and (without is None or throttle < without):
        return "the chosen throttle"
    return "today's rate" if estate_rate(TODAY) else "the target's limit, for want of a rate of today,"


def calls_of(kind: BatchKind, preflight: Preflight) -> int | None:
    """The calls that a batch would make; None where its kind's calls can't be counted beforehand."""
    totals = preflight.totals
    # All calls but creating the conversations and appending to them.
    reads = totals.calls - totals.threads - totals.chunks
    # A roll back makes the same reads, one of them in confirming; then a delete and a read for each item, and four
    # calls a thread: that its items can be asked for, that the first deletes were done, that the list is empty, and
    # the conversation's own delete.
    deletes = reads + 2 * totals.items + 4 * totals.threads
    return {"sends": totals.calls, "reads": reads, "deletes": deletes}.get(kind.figures)


def _at_least(preflight: Preflight, count: int) -> str:
    return f"{count:,}" if preflight.counted else f"at least {count:,}"


def left_out_rows(kind: BatchKind, preflight: Preflight) -> list[dict[str, Any]]:
    """One row a status of which threads are skipped: how many, and why."""
    return [
        {"badge": thread_badge(status), "count": f"{count:,}", "why": kind.skip_reason(status)}
        for status, count in preflight.refused_by_status.items()
    ]


def preflight_figures(kind: BatchKind, preflight: Preflight) -> list[tuple[str, str]]:
    """What a batch would include, skip and send, as (label, value)."""
    totals, calls = preflight.totals, calls_of(kind, preflight)
    rows = [
        ("Included", _at_least(preflight, preflight.taken)),
        ("Skipped", _at_least(preflight, sum(preflight.refused_by_status.values()))),
    ]
    if kind.figures == "sends":
        if preflight.blocked:
            rows.append(("Will be blocked", _at_least(preflight, preflight.blocked)))
        rows += _sent_figures(preflight)
    elif kind.figures:
        rows.append(("Items", _at_least(preflight, totals.items)))
    if calls is not None:
        is_about = kind.figures == "deletes" or preflight.begun
        label = "API calls (reads)" if kind.figures == "reads" else "API calls"
        rows.append((f"{label}, about" if is_about else label, _at_least(preflight, calls)))
    if kind.figures == "sends":
        rows.append(("To send", _at_most(preflight, bytes_text(totals.payload_bytes))))
    return rows


def _sent_figures(preflight: Preflight) -> list[tuple[str, str]]:
    """What is sent. Of threads that have a conversation only the items that are not there yet can be counted."""
    totals = preflight.totals
    items = _at_most(preflight, _at_least(preflight, totals.items))
    if preflight.begun and not preflight.sampled:
        items = f"{max(0, totals.items - preflight.items_there):,}"
    return [
        ("Messages", _at_most(preflight, _at_least(preflight, totals.messages))),
        ("Items", items),
        ("Chunks", _at_most(preflight, _at_least(preflight, totals.chunks))),
    ]


def _at_most(preflight: Preflight, text: str) -> str:
    """A figure that counts threads as from the start: the most that is sent where some have a conversation."""
    return f"at most {text}" if preflight.begun and preflight.counted else text


def _policy_rows(preflight: Preflight, form: ConfirmForm) -> list[dict[str, Any]]:
    """Each policy with its field, and how much of the selection it decides about."""
    return [
        {
            "name": effect.name,
            "field": form[f"{POLICY_FIELD}{effect.name}"],
            "title": POLICY_TEXTS[effect.name].title,
            "why": POLICY_TEXTS[effect.name].reason,
            "text": POLICY_TEXTS[effect.name].choices[effect.choice],
            "threads": f"{effect.threads:,}",
            "parts": f"{effect.parts:,}",
            "idle": not effect.threads,
        }
        for effect in preflight.effects
    ]


def _finding_url(selection: Mapping[str, Any], code: str) -> str:
    """The list of the selection's threads that have a finding; nothing for threads chosen one by one."""
    if not isinstance(selection.get("filters"), dict):
        return ""
    query = {**selection["filters"], "finding__exact": code}
    if selection.get("search"):
        query["q"] = selection["search"]
    return f"{reverse('admin:migration_app_thread_changelist')}?{urlencode(query)}"


def preflight_csv(selection: Mapping[str, Any], kind: str, policies: Policies) -> HttpResponseBase:
    """The preflight as a small CSV: what, name, severity or reason, threads, count."""
    selection_check(selection)
    return csv_response("preflight.csv", HEADER, preflight_rows(page_preflight(selection, kind, policies)))
