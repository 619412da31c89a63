"""Every reason for which a thread can need review has its row."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from migration_app.batches.kinds import BATCH_KINDS
from migration_app.engine.steps.records import accepted_as_is, not_whole
from migration_app.models import Batch
from migration_app.reconciliation.review import _error_code
from migration_app.review.reasons import (
    CONSEQUENCES,
    FITTING_TEMPLATES,
    KIND_TEMPLATES,
    REASONS,
    TEMPLATES,
    reason_of,
    reason_text,
)
from migration_app.threads import assessments

ROOT = Path(__file__).resolve().parents[3] / "migration_app"
RAISED = {"NeedsReviewError", "InDoubtError", "in_doubt"}
"""What the engine sends a thread to review with; the last takes its code by keyword."""


def codes_in(path: Path) -> Iterator[object]:
    """Codes of a module: literal first arguments, ``code=`` of any call, and what is assigned to a ``code``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [*node.args[:1]] if name in {"NeedsReviewError", "InDoubtError"} else []
            given += [each.value for each in node.keywords if each.arg == "code" and name in RAISED]
            yield from (each.value for each in given if isinstance(each, ast.Constant))
        elif isinstance(node, ast.Assign) and path.name == "doubts.py":
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                names = [getattr(target, "id", "") for target in node.targets[0].elts]
                values = dict(zip(names, node.value.elts, strict=True))
                if isinstance(found := values.get("code"), ast.Constant):
                    yield found.value
        elif isinstance(node, ast.FunctionDef) and node.name in RAISED:
            yield from (each.value for each in node.args.kw_defaults if isinstance(each, ast.Constant))


def engine_codes() -> set[str]:
    """Every code that the steps of the engine can send a thread to review with."""
    return {
        code for path in (ROOT / "engine").rglob("*.py") for code in codes_in(path) if isinstance(code, str)
    }


def test_the_walk_finds_what_is_known_to_be_there() -> None:
    assert engine_codes() >= {"difference", "conversation_missing", "append_in_doubt", "not_deleted"}


def test_every_code_of_the_engine_has_a_row() -> None:
    assert engine_codes() - REASONS.keys() == set()
    assert {not_whole().code, accepted_as_is().code} <= REASONS.keys()


def test_every_code_of_imports_and_reconciliations_has_a_row() -> None:
    grown = {assessments.GROWN_CODE, assessments.ACCEPTED_GROWN_CODE, assessments.DELETED_CODE}
    assert grown <= REASONS.keys()
    assert {REASONS[code].section for code in grown} == {"grown"}
    assert {_error_code("conversation_missing"), _error_code("anything")} <= REASONS.keys()


def test_every_row_says_what_each_of_its_actions_leads_to() -> None:
    for reason in [*REASONS.values(), reason_of("rate_limited"), reason_of("")]:
        named = {*reason.actions, *reason.when.values(), *reason.consequences}
        assert named <= set(reason.actions), reason.code
        assert all(kind in BATCH_KINDS and reason.consequence(kind) for kind in reason.actions)
        assert reason.template in FITTING_TEMPLATES[reason.actions[0]], reason.code
    assert CONSEQUENCES.keys() == KIND_TEMPLATES.keys()
    assert all(template in FITTING_TEMPLATES[kind] for kind, template in KIND_TEMPLATES.items())
    assert {name for fitting in FITTING_TEMPLATES.values() for name in fitting} == TEMPLATES.keys()


def test_accept_as_is_is_not_offered_where_nothing_could_be_accepted() -> None:
    assert Batch.Kind.ACCEPT not in REASONS["conversation_missing"].ordered("")
    for shape in ("gone", "changed", "missing_items"):
        assert Batch.Kind.ACCEPT not in REASONS["difference"].ordered(shape)
    assert REASONS["difference"].ordered("continued")[0] == Batch.Kind.ACCEPT
    assert REASONS["difference"].ordered("changed")[0] == Batch.Kind.REMIGRATE


def test_other_codes_come_from_work_that_failed_and_have_one_row() -> None:
    assert reason_of("rate_limited").title == "Work failed: rate limited"
    assert reason_of("rate_limited").section == "unfinished"


def test_a_reason_is_the_standard_one_and_what_was_typed() -> None:
    assert reason_text("checked", " by hand ") == f"{TEMPLATES['checked']} by hand"
    assert reason_text("none", "my own") == "my own"
    assert reason_text("none", " ") == ""
