"""The soak draws from all faults there are, the rare ones too."""

from __future__ import annotations

import random

from console.sandbox.faults import Kind, parse_spec, rules_from_json
from tests.chaos.chances import EVENTS, FAULTS, REPEATS, SIZES, drawn, fault_drawn

PERSONS_OR_ALWAYS = {Kind.LATENCY, Kind.QUOTA, Kind.UNAUTHORIZED}
"""Latency there always is; key and quota are a person's to mend, and pause the batch."""


def test_every_kind_of_fault_is_drawn() -> None:
    kinds = {fault.kind for fault in FAULTS} | set(REPEATS) - {""}
    assert kinds == set(Kind) - PERSONS_OR_ALWAYS


def test_all_that_is_drawn_is_a_rule_and_all_of_it_comes() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret is made of it
    seen = set()
    for _ in range(600):
        kind, match, options = fault_drawn(chance, losing=True)
        (rule,) = rules_from_json([{"kind": kind, "match": match, **options}])
        seen.add((rule.kind, rule.status))
    assert seen == {(Kind(fault.kind), fault.status) for fault in FAULTS}
    assert all(len(parse_spec(f"{name}:POST .*/items")) == 1 for name in REPEATS if name)


def test_what_loses_is_drawn_only_where_it_is_asked_for() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret is made of it
    kinds = {fault_drawn(chance, losing=False)[0] for _ in range(600)}
    assert kinds == {fault.kind for fault in FAULTS if not fault.loses}


def test_threads_whose_last_chunk_is_the_users_alone_are_many() -> None:
    alone = sum(weight for size, weight in SIZES.items() if size % 20 == 1)
    assert alone * 2 > sum(SIZES.values())


def test_weights_are_kept_to() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret is made of it
    assert {drawn(chance, EVENTS) for _ in range(500)} == set(EVENTS)
    assert drawn(chance, {"never": 0, "always": 1}) == "always"
