"""A spec as the fields of a form, and back. Pure: no database, no requests.

Browsers change line ends, and no page can carry U+0000 or half a surrogate pair: a field that was not touched keeps
its value exactly as it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.spec_rules import spec_problems
from migration_app.conversion.text import clean_text, copy_json, label
from migration_app.prompts.weight import MOST_VALUES, TextOpenError, values_exceed

TEXTS = ("model", "instructions")
NUMBERS = ("temperature", "top_p", "max_output_tokens")
JSON = ("tools", "text", "reasoning", "metadata")
REST = "others"
"""Every argument without a field of its own, as one JSON object."""
FIELDS = (*TEXTS, *NUMBERS, *JSON, REST)

_SHAPES: Mapping[str, type] = {"tools": list, "text": dict, "reasoning": dict, "metadata": dict, REST: dict}


@dataclasses.dataclass(frozen=True, slots=True)
class FormError:
    """What is wrong with one field (empty: with the whole)."""

    field: str
    text: str


class _SourceError(ValueError):
    """JSON that says something twice, or that no JSON is."""


def form_of_spec(spec: JsonObject) -> dict[str, str]:
    """The fields of a form, filled with a spec."""
    fields = {name: _written(spec[name]) if name in spec else "" for name in (*TEXTS, *NUMBERS, *JSON)}
    rest = {name: value for name, value in spec.items() if name not in fields}
    return {**fields, REST: _written(rest) if rest else ""}


def spec_of_form(fields: Mapping[str, str], base: JsonObject, errors: list[FormError]) -> JsonObject:
    """The spec that the fields say; what is wrong is added to ``errors``."""
    before = form_of_spec(base)
    spec: dict[str, Any] = {}
    for name in FIELDS:
        text = fields.get(name, "")
        if text == _as_posted(before[name]):
            rest = {key: value for key, value in base.items() if key not in FIELDS}
            spec |= rest if name == REST else {name: base[name]} if name in base else {}
        elif name in TEXTS:
            spec |= {name: text if name == "instructions" else text.strip()} if text.strip() else {}
        elif text.strip():
            value = _parsed(name, text, errors)
            if name == REST and isinstance(value, dict):
                spec |= _rest(value, errors)
            elif value is not None:
                spec[name] = value
    broken = {error.field for error in errors}
    for problem in spec_problems(spec):
        top = problem.place.partition(".")[0].partition("[")[0]
        field = top if top in FIELDS else REST
        if field not in broken:  # what could not be read is missing from the spec, which says nothing of it
            errors.append(FormError(field, f"{problem.place}: {problem.text}."))
    return spec


def _rest(value: JsonObject, errors: list[FormError]) -> JsonObject:
    twice = [name for name in value if name in FIELDS]
    if twice:
        errors.append(FormError(REST, f"{', '.join(twice)}: there is a field of its own for this above."))
    return {name: entry for name, entry in value.items() if name not in FIELDS}


def _parsed(name: str, text: str, errors: list[FormError]) -> Any:
    if name in NUMBERS:
        try:
            return int(text) if text.strip().lstrip("-").isdecimal() else float(text)
        except ValueError:
            errors.append(FormError(name, "This is no number. Leave it empty for the model's default."))
            return None
    try:
        too_many = values_exceed(text, MOST_VALUES)
        value = None if too_many else _decoded(text)
    except TextOpenError as error:
        errors.append(
            FormError(name, f"This is no JSON: a text that begins in line {error.line} has no end.")
        )
        return None
    except json.JSONDecodeError as error:
        summary = f"This is no JSON: {error.msg}, in line {error.lineno}, column {error.colno}."
        errors.append(FormError(name, summary))
        return None
    except _SourceError as error:
        errors.append(FormError(name, str(error)))
        return None
    except (ValueError, RecursionError):
        errors.append(FormError(name, "This is nested too deeply, or holds a number too large to keep."))
        return None
    if too_many:
        errors.append(FormError(name, "This holds more values than any prompt."))
        return None
    wanted = _SHAPES[name]
    if not isinstance(value, wanted):
        summary = "a list: [ … ]" if wanted is list else "an object: { … }"
        errors.append(FormError(name, f"This must be {summary}."))
        return None
    troubles: set[str] = set()
    copied = copy_json(value, troubles)
    if troubles:
        summary = "half a surrogate pair, a number too large, or too many levels"
        errors.append(FormError(name, f"This holds something that no request can carry: {summary}."))
    return copied


def _decoded(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with unique names: JSON would keep the last silently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _SourceError(
            f"The name {label(twice)} comes twice in one object: only one of them could be kept."
        )
    return found


def _no_constant(word: str) -> Any:
    raise _SourceError(f"{word} is no JSON value.")


def _written(value: object) -> str:
    return clean_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _as_posted(text: str) -> str:
    """What comes back of a text that nobody touched: browsers know one kind of line end, and no U+0000."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
