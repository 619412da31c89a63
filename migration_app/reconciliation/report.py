"""A reconciliation written down: by check and kind for tables, row by row for CSV and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from migration_app.models import Discrepancy, Reconciliation
from migration_app.reconciliation.kinds import CHECKS, KINDS
from migration_app.reconciliation.records import discrepancies, scope_summary, totals

HEADER = ("check", "code", "severity", "thread_id", "subject", "claimed", "found", "what_to_do")


@dataclasses.dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: rows checked, rows skipped because they were in progress, and discrepancies by severity."""

    name: str
    text: str
    looked: int
    skipped: int
    errors: int
    warnings: int
    information: int


@dataclasses.dataclass(frozen=True, slots=True)
class KindRow:
    """One kind of discrepancy, and how often it was found; ``kept`` may be fewer."""

    code: str
    check: str
    severity: str
    title: str
    advice: str
    count: int


def check_rows(row: Reconciliation) -> list[CheckRow]:
    """Every requested check, in order; one that was not reached yet has zero rows."""
    made = []
    for name in row.checks:
        entry = row.counts.get(name, {})
        made.append(
            CheckRow(
                name,
                CHECKS.get(name, ""),
                entry.get("looked", 0),
                entry.get("skipped", 0),
                entry.get("error", 0),
                entry.get("warning", 0),
                entry.get("information", 0),
            )
        )
    return made


def kind_rows(row: Reconciliation) -> list[KindRow]:
    """Kinds that were found, the worst first."""
    ranks = {severity: rank for rank, severity in enumerate(Discrepancy.Severity.values)}
    made = [
        KindRow(code, name, kind.severity, kind.title, kind.advice, count)
        for name, entry in row.counts.items()
        for code, count in entry.get("codes", {}).items()
        if (kind := KINDS.get(code)) is not None
    ]
    return sorted(made, key=lambda found: (ranks[found.severity], -found.count, found.code))


def csv_rows(row: Reconciliation, *, severity: str = "", code: str = "") -> Iterator[tuple[str, ...]]:
    """Each discrepancy under HEADER, streamed."""
    for found in discrepancies(row, severity=severity, code=code).iterator(chunk_size=1_000):
        yield _words(found)


def report_json(row: Reconciliation) -> dict[str, Any]:
    """The head of the report as plain JSON; the discrepancies are streamed by ``json_rows``."""
    return {
        "reconciliation": row.pk,
        "state": row.state,
        "scope": scope_summary(row),
        "sample_size": row.sample_size,
        "seed": row.seed,
        "error": row.error_text,
        "totals": totals(row),
        "checks": [dataclasses.asdict(check) for check in check_rows(row)],
        "kinds": [dataclasses.asdict(kind) for kind in kind_rows(row)],
    }


def json_rows(row: Reconciliation) -> Iterator[dict[str, str]]:
    """Each discrepancy as plain JSON."""
    for found in discrepancies(row).iterator(chunk_size=1_000):
        yield dict(zip(HEADER, _words(found), strict=True))


def _words(found: Discrepancy) -> tuple[str, ...]:
    kind = KINDS.get(found.code)
    return (
        found.check_name,
        found.code,
        found.severity,
        found.thread.thread_id if found.thread is not None else "",
        found.subject,
        found.claimed,
        found.found,
        kind.advice if kind is not None else "",
    )
