"""What replaces an item that the target refuses: one item for one item, so that places stay the same.

Each item has a ladder of at most three rungs (docs/conversion.md shows them); rungs that would change nothing
are left out. A function call and its output become notes together: never one without the other. Everything here
is pure and depends on the planned items alone, so that a resumed thread has the same plan. Imports only
``contracts``, ``spill`` and this package.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from migration_app.contracts import Finding, JsonObject, PlannedItem, Replacement, ThreadPlan
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.migrated import (
    attachment_text,
    call_text,
    citation_text,
    image_text,
    note_text,
    placeholder,
    plain,
    section,
    text_message,
    text_part,
)
from migration_app.conversion.text import as_id
from migration_app.spill import replaced, selected

_CONTROLS = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]")
_NATIVE = {"code_interpreter_call": "code_interpreter_native", "file_search_call": "file_search_native"}
_BETWEEN_TEXTS = "\n\n"
# Limits the growth of a message by its citations; recorded answers have fewer than twenty.
_CITATIONS_NAMED = 100
_CITATION_LENGTH = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class _Rung:
    item: JsonObject
    text: str
    lossless: bool


def partners_of(items: Sequence[PlannedItem], position: int) -> tuple[int, ...]:
    """The positions that are replaced together with this one, itself included: a call and its output."""
    call_id = items[position].item.get("call_id")
    if call_id is None:
        return (position,)
    # Call ids are unique in a plan (``call_ids``), and a pair is adjacent.
    near = range(max(position - 1, 0), min(position + 2, len(items)))
    return tuple(other for other in near if items[other].item.get("call_id") == call_id)


def apply_replacements(plan: ThreadPlan, replacements: Mapping[int, Replacement]) -> ThreadPlan:
    """The plan with refused items replaced, and a finding for each. Raises ValueError for an invalid place."""
    if not replacements:
        return plan
    wanted: dict[int, Replacement] = {}
    for position in sorted(replacements):
        if not 0 <= position < len(plan.items):
            raise ValueError(f"There is no item at {position}: the plan has {len(plan.items)}.")
        replacement = replacements[position]
        for partner in partners_of(plan.items, position):
            # A partner with a level of its own keeps it: as two notes they may have been sent apart, and one of
            # them may be in the conversation already.
            if partner == position or partner not in replacements:
                wanted[partner] = replacement
    changes: dict[int, PlannedItem] = {}
    findings: list[Finding] = []
    for position in sorted(wanted):
        changes[position], finding = _replaced(plan.items[position], position, wanted[position])
        findings.append(finding)
    return dataclasses.replace(
        plan,
        items=replaced(plan.items, changes),
        findings=selected(plan.findings, _still_true(plan, wanted), findings),
    )


def _still_true(plan: ThreadPlan, refused: Collection[int]) -> Iterable[int]:
    """The places of the plan's findings, without those that say of a refused call that it is the target's own item.

    Such a finding names its step; several in one step stand in the order of their items.
    """
    if not any(plan.items[position].item["type"] in _NATIVE for position in refused):
        return range(len(plan.findings))
    native: dict[tuple[str, str], list[bool]] = {}
    for position, planned in enumerate(plan.items):
        code = _NATIVE.get(planned.item["type"])
        if code is not None:
            native.setdefault((code, planned.source_id), []).append(position not in refused)
    stands = {key: iter(flags) for key, flags in native.items()}
    return [
        place
        for place, finding in enumerate(plan.findings)
        if next(stands.get((finding.code, finding.source_id), iter(())), True)
    ]


def _replaced(planned: PlannedItem, position: int, replacement: Replacement) -> tuple[PlannedItem, Finding]:
    ladder = _ladder(planned)
    notes = Notes(planned.source_kind, planned.source_id)
    details = {"number": position + 1, "kind": _kind(planned.item)}
    place = f"items[{position}]"
    if replacement.level >= len(ladder):
        notes.add("item_refused", place, **details)
        return planned, notes.findings[0]
    rung = ladder[replacement.level]
    code = "item_refused_reshaped" if rung.lossless else "item_refused_replaced"
    notes.add(code, place, fallback=rung.text, **details)
    return dataclasses.replace(planned, item=rung.item), notes.findings[0]


def _ladder(planned: PlannedItem) -> list[_Rung]:
    item = planned.item
    stub = placeholder(
        f"{_kind(item)}, refused by the target; the console holds it as {plain(planned.source_id)}"
    )
    role = "user" if item.get("role") == "user" else "assistant"
    last = _Rung(text_message(stub, role), "as a line that names it", lossless=False)
    if item["type"] != "message":
        return [_call_note(item), last]
    simple, whole = _simple(item), _whole(item, role)
    rungs = [simple, whole]
    return [rung for rung in rungs if rung.item != item and (rung is simple or rung.item != simple.item)] + [
        last
    ]


def _simple(message: JsonObject) -> _Rung:
    """The message as texts only: citations, images and files named, refusals as text."""
    texts, lossless = _texts(message, joined=False)
    content = [text_part(text, message["role"]) for text in texts]
    text = "with texts only: its citations, images and files named"
    return _Rung(message | {"content": content}, text, lossless)


def _whole(message: JsonObject, role: str) -> _Rung:
    """The same as one text, without control characters."""
    texts, lossless = _texts(message, joined=True)
    text = _BETWEEN_TEXTS.join(texts)
    harmless = _harmless(text)
    kept = lossless and harmless == text and message.get("status", "completed") == "completed"
    return _Rung(text_message(harmless, role), "as one plain text", kept)


def _texts(message: JsonObject, *, joined: bool) -> tuple[list[str], bool]:
    """The text of each part, followed by its citations; and whether nothing is left out.

    Offsets count from the beginning of the part, or of the whole text if the texts are to be ``joined``.
    """
    texts: list[str] = []
    lossless = True
    before = 0
    for part in message["content"]:
        lines, all_named = _citation_lines(part.get("annotations", []), before)
        added = [_text_of(part), "\n".join(lines)] if lines else [_text_of(part)]
        texts += added
        before += sum(len(text) + len(_BETWEEN_TEXTS) for text in added) if joined else 0
        lossless &= all_named and part["type"] in ("input_text", "output_text", "refusal")
    return texts, lossless


def _text_of(part: JsonObject) -> str:
    kind = part["type"]
    if kind == "input_image":
        return placeholder(image_text(as_id(part.get("file_id")), "", part.get("image_url")))
    if kind == "input_file":
        return placeholder(attachment_text(part["file_id"], "", ()))
    return str(part["refusal"] if kind == "refusal" else part["text"])


def _citation_lines(annotations: Sequence[JsonObject], before: int) -> tuple[list[str], bool]:
    """A line for each citation, bounded, and whether every citation has one."""
    lines = [placeholder(citation_text(annotation, before)) for annotation in annotations]
    named = [line for line in lines if len(line) <= _CITATION_LENGTH][:_CITATIONS_NAMED]
    more = len(lines) - len(named)
    if more:
        named.append(placeholder(f"citations not named here: {more}; the console holds them"))
    return named, not more


def _call_note(item: JsonObject) -> _Rung:
    """A call, its output, or a native call, as a note of all its fields."""
    kind = item["type"]
    lines = [
        section(name, value) for name, value in item.items() if name not in ("type", "call_id", "status")
    ]
    text = note_text(call_text(kind, item.get("call_id")), lines)
    harmless = _harmless(text)
    return _Rung(text_message(harmless), "as a note", harmless == text)


def _harmless(text: str) -> str:
    """Without control characters, which some targets refuse."""
    return _CONTROLS.sub("\ufffd", text)


def _kind(item: JsonObject) -> str:
    return f"message by {item['role']}" if item["type"] == "message" else str(item["type"])
