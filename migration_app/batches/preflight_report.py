"""A preflight written down: as CSV rows, and the command that counts the same at a shell. No queries."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.preflight import Preflight
from migration_app.contracts import Policies, policies_as_dict
from migration_app.models import Batch
from migration_app.threads.plans import policies_summary

HEADER = ("section", "name", "detail", "threads", "count")

Row = tuple[str, str, str, int | str, int | str]


def preflight_rows(preflight: Preflight) -> Iterator[Row]:
    """The preflight as rows under HEADER."""
    totals = preflight.totals
    basis = "exact" if preflight.exact else "last_assessment"
    yield "figures", basis, basis_text(preflight), "", ""
    if preflight.sampled:
        yield "figures", "partial", sample_text(preflight), preflight.sampled, ""
    for effect in preflight.effects:
        yield "policy", effect.name, effect.choice, effect.threads, effect.parts
    yield "total", "matching", "", preflight.matching, ""
    yield "total", "taken", "", preflight.taken, ""
    if preflight.effects:
        yield "total", "blocked", "stop at a finding, nothing is sent", preflight.blocked, ""
        yield "total", "begun", "have a conversation; counted as from the start", preflight.begun, ""
        yield (
            "total",
            "items_there",
            "are in these conversations already",
            preflight.begun,
            preflight.items_there,
        )
    for field in dataclasses.fields(totals):
        if field.name != "threads":
            yield "total", field.name, "", totals.threads, getattr(totals, field.name)
    for status, count in preflight.refused_by_status.items():
        yield "left_out", status, BATCH_KINDS[preflight.kind].skip_reason(status), count, ""
    for fidelity, count in sorted(preflight.by_fidelity.items()):
        yield "fidelity", fidelity or "not assessed", "", count, ""
    for finding in preflight.findings:
        yield "finding", finding.code, finding.severity, finding.threads, finding.count
    for thread in preflight.longest:
        detail = f"{thread.message_count} messages, {thread.item_count} items"
        yield "longest", thread.thread_id, detail, 1, thread.chunk_count


def basis_text(preflight: Preflight) -> str:
    """Say what the figures rest on."""
    if not preflight.effects:
        return "from the last assessments"
    text = policies_summary(preflight.policies)
    if preflight.exact:
        return f"under {text}"
    return f"NOT under {text}: {preflight.converted} threads would have to be converted"


def sample_text(preflight: Preflight) -> str:
    """Say of a selection too large for a page what its figures are figures of."""
    newest = f"the newest {preflight.sampled:,} that match"
    if preflight.counted:
        return f"Threads and totals are of all that match; findings, policies and the longest threads are of {newest}."
    return f"All figures are of {newest}; there are more."


def preflight_command(selection: Mapping[str, Any], kind: str, policies: Policies) -> str:
    """The command that counts this selection without a limit; ids are named by their number of rows only."""
    arguments = ["manage.py", "preflight"]
    filters = selection.get("filters") or {}
    for name, value in filters.items():
        arguments += ["--filter", f"{name}={value}"]
    if not filters:
        arguments.append("--all")
    if selection.get("search"):
        arguments.append(f"--search={selection['search']}")
    if kind == Batch.Kind.RETRY:
        arguments.append("--retry")
    defaults = policies_as_dict(Policies())
    for name, choice in policies_as_dict(policies).items():
        if choice != defaults[name]:
            arguments += ["--policy", f"{name}={choice}"]
    return shlex.join(arguments)
