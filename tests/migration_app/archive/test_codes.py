"""docs/conversion.md names every finding that putting threads together leaves, with its severity."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "conversion.md").read_text(encoding="utf-8")
LITERAL = re.compile(r'code=(?:"(\w+)"|(\w+)),\s+severity=Severity\.(\w+)')
CONSTANT = re.compile(r'^(\w+)(?:: Final)? = "(\w+)"$', re.MULTILINE)


def codes() -> set[tuple[str, str]]:
    """Every code that stands in the archive's modules, with its severity."""
    found: set[tuple[str, str]] = set()
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "migration_app" / "archive").rglob("*.py")]
    constants = dict(pair for text in texts for pair in CONSTANT.findall(text))
    for text in texts:
        for code, name, severity in LITERAL.findall(text):
            found.add((code or constants[name], severity.lower()))
    return found


def test_the_page_names_every_code_with_its_severity() -> None:
    named = set(re.findall(r"`(\w+)` \((note|transformed|lossy|blocking)\)", PAGE))
    assert {"object_rejected", "object_states_disagree", "object_conflict"} <= {code for code, _ in codes()}
    assert codes() <= named
