"""The table that preflight rests on: what a policy decides about leaves one of its findings, and nothing else."""

from __future__ import annotations

import json
import pathlib

import pytest
from hypothesis import given

from migration_app.contracts import Policies, SourceThread, policies_as_dict, policies_from, policy_choices
from migration_app.conversion.findings.findings import KINDS
from migration_app.conversion.findings.policies import (
    POLICY_FINDINGS,
    codes_of,
    codes_of_other_choices,
    default_codes,
)
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.strategies import policies, threads
from tests.migration_app.conversion.support import codes, golden_files, source_thread
from tests.migration_app.conversion.test_properties import fixed

GOLDEN = golden_files("policies")


def golden_source(path: pathlib.Path) -> SourceThread:
    return source_thread(json.loads(path.read_text(encoding="utf-8"))["source"])


def test_the_table_has_every_policy_and_choice_in_their_order() -> None:
    assert {name: tuple(choices) for name, choices in POLICY_FINDINGS.items()} == policy_choices()


def test_the_table_names_findings_that_there_are() -> None:
    assert frozenset().union(*map(codes_of, POLICY_FINDINGS)) <= KINDS.keys()


def test_no_finding_tells_of_two_policies() -> None:
    total = sum(len(codes_of(name)) for name in POLICY_FINDINGS)
    assert len(frozenset().union(*map(codes_of, POLICY_FINDINGS))) == total


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_each_choice_leaves_its_findings_and_the_default_leaves_its_own_on_the_same_thread(
    path: pathlib.Path,
) -> None:
    name, choice = path.stem.split("__")
    source = golden_source(path)
    under_choice = set(codes(convert_thread(source, policies_from({name: choice})).findings))
    assert under_choice & POLICY_FINDINGS[name][choice]
    assert set(codes(convert_thread(source).findings)) & default_codes(name)


@fixed
@given(threads(deletions=True), policies())
def test_a_thread_without_findings_of_the_policies_chosen_is_the_same_under_all_of_their_choices(
    source: SourceThread, chosen: Policies
) -> None:
    plain = convert_thread(source)
    found = set(codes(plain.findings))
    defaults = policies_as_dict(Policies())
    choices = policies_as_dict(chosen).items()
    idle = {name: choice for name, choice in choices if not found & default_codes(name)}
    assert convert_thread(source, policies_from({**defaults, **idle})) == plain


@fixed
@given(threads(deletions=True), policies())
def test_a_plan_made_under_the_defaults_holds_no_finding_of_another_choice(
    source: SourceThread, chosen: Policies
) -> None:
    assert not set(codes(convert_thread(source).findings)) & codes_of_other_choices()
    others = convert_thread(source, chosen)
    if not set(codes(others.findings)) & codes_of_other_choices():
        assert others == convert_thread(source)
