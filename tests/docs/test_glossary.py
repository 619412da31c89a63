"""One term for one thing: the glossary, and the terms that nothing may use any more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "glossary.md"
READ = (
    "migration_app",
    "console",
    "templates",
    "docs",
    "README.md",
    ".env.example",
    "Makefile",
    "requirements",
)
LEFT_ALONE = {"__pycache__", "migrations"}
SUFFIXES = {".example", ".py", ".html", ".md", ".sql", ".in", ".js", ".css", ".yaml", ""}

GONE = {
    "whoever": "users who, the worker that",
    "foretold|foretell|foretells": "estimate",
    "wholeness": "invariants",
    "mortal": "killable",
    "peculiar": "quirk",
    "held against": "compared with",
    "failed alike": "failed with the same error",
    "for ever": "forever",
    "in silence": "silently",
    "put down|puts down": "hand back, pause",
    "looked through|look through|looks through": "scan, search",
    "signs? of life": "heartbeat",
    "counted anew": "recalculated",
    "lost creates?": "unconfirmed create",
    "mend|mends|mended": "fix",
    "standing": "ownership, status",
    "begin anew|keep as it is": "re-migrate, accept as is",
    "needs a person": "needs attention",
    "anew": "again, restart, re-migrate",
    "fate|fates": "outcome",
    "residue|residues": "left behind",
    "parted|parting": "detached, separated",
    "goes on": "continues, has more",
    "server words": "server message",
}
"""Each old word, as a regular expression within word boundaries, and what is written instead."""

ALLOWED: dict[str, dict[str, str]] = {}
"""Per old word: files that keep it (the end of their path), each with the reason."""


def terms() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [row.strip() for row in rows if row.strip() != "Term"]


def sources() -> list[Path]:
    roots = [ROOT / name for name in READ]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))]
    return [
        file
        for file in files
        if file.is_file() and file.suffix in SUFFIXES and not LEFT_ALONE & set(file.parts)
    ]


def spoken(text: str) -> str:
    """A text with the words of identifiers apart, so that `run_anew` holds the word too."""
    return text.replace("_", " ")


def test_the_glossary_has_each_term_once_and_in_order() -> None:
    found = terms()
    assert len(found) > 30
    assert found == sorted(set(found))


@pytest.mark.parametrize("word", sorted(GONE))
def test_nothing_uses_a_term_that_is_gone(word: str) -> None:
    pattern = re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    allowed = ALLOWED.get(word, {})
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in sources()
        if not str(file).endswith(tuple(allowed))
        for number, line in enumerate(
            spoken(file.read_text(encoding="utf-8", errors="ignore")).splitlines(), 1
        )
        if pattern.search(line)
    ]
    assert found == [], f"write {GONE[word]} instead"
