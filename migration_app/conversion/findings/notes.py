"""Collecting findings about one source object.

Imports only ``contracts`` and the table of findings.
"""

from __future__ import annotations

import dataclasses

from migration_app.contracts import Finding, SourceKind
from migration_app.conversion.findings.findings import KINDS


@dataclasses.dataclass(frozen=True, slots=True)
class Notes:
    """Collects the findings about one source object."""

    source_kind: SourceKind
    source_id: str
    findings: list[Finding] = dataclasses.field(default_factory=list)

    def add(self, code: str, place: str = "", **text: object) -> None:
        """Add a finding of a code in ``KINDS``; ``text`` fill its template."""
        kind = KINDS[code]
        self.findings.append(
            Finding(
                code=code,
                severity=kind.severity,
                source_kind=self.source_kind,
                source_id=self.source_id,
                place=place,
                text=kind.text.format(**text),
                advice=kind.advice,
            )
        )

    def add_troubles(self, troubles: set[str], place: str) -> None:
        """Add what copying a value had to change (codes from ``text.copy_json``)."""
        for code in sorted(troubles):
            self.add(code, place)
