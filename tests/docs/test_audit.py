"""The list of actions in the documentation."""

from __future__ import annotations

from pathlib import Path

from migration_app.audit.actions import ACTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def table() -> str:
    rows = [f"| `{verb}` | {ACTIONS[verb].label} | {ACTIONS[verb].message} |" for verb in sorted(ACTIONS)]
    return "\n".join(["| Verb | Action | What it says |", "|---|---|---|", *rows, ""])


def test_the_page_lists_every_action_as_it_is_registered() -> None:
    """To renew it, put what this test expects below the page's introduction."""
    _introduction, rule, rows = PAGE.read_text().partition("| Verb |")
    assert rule + rows == table()
