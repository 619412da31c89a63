"""What all findings of one code share: severity, text and advice.

Imports only ``contracts``.
"""

from __future__ import annotations

import dataclasses

from migration_app.contracts import Severity

NOTE, TRANSFORMED, LOSSY, BLOCKING = Severity
IN_SNAPSHOT = "The snapshot holds it whole."


@dataclasses.dataclass(frozen=True, slots=True)
class FindingKind:
    """What all findings of one code share; ``text`` is a ``str.format`` template."""

    severity: Severity
    text: str
    advice: str = ""
