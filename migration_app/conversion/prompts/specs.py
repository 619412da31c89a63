"""A prompt's spec: its text as stored and exported, its variables, and its findings.

A spec is the keyword arguments for ``responses.create``. Pure; imports only ``contracts`` and this package.
"""

from __future__ import annotations

import json
import re

from migration_app.contracts import Finding, JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.prompts.spec_rules import spec_problems
from migration_app.conversion.text import labels

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")


def spec_text(spec: JsonObject) -> str:
    """Write a spec as it is kept, hashed and exported: ASCII JSON, sorted keys, two spaces. ValueError for NaN."""
    return json.dumps(spec, ensure_ascii=True, sort_keys=True, indent=2, allow_nan=False)


def spec_variables(spec: JsonObject) -> tuple[str, ...]:
    """Names of the ``{{name}}`` placeholders in the instructions, each once, in their order.

    ``responses.create`` fills variables of dashboard prompts only, so the caller must fill these.
    """
    instructions = spec.get("instructions")
    if not isinstance(instructions, str):
        return ()
    return tuple(dict.fromkeys(_VARIABLE.findall(instructions)))


def prompt_findings(spec: JsonObject) -> tuple[Finding, ...]:
    """The findings of a spec, from any source."""
    notes = Notes("assistant", "")
    note_spec(spec, notes)
    return tuple(notes.findings)


def note_spec(spec: JsonObject, notes: Notes) -> None:
    """Add what a spec says of itself: what the target would refuse, and placeholders to be filled."""
    if not spec.get("model"):
        notes.add("model_missing", "model")
    for problem in spec_problems(spec):
        if problem.place != "model":
            notes.add("spec_refused", problem.place, what=problem.place, reason=problem.text)
    variables = spec_variables(spec)
    if variables:
        notes.add("prompt_variables", "instructions", names=labels(variables))
