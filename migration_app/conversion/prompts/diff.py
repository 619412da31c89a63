"""Two specs compared: instructions by words, tools by name, everything else by its path.

Pure; imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from migration_app.contracts import JsonObject
from migration_app.conversion.comparison.word_diff import TextDiff, text_diff
from migration_app.conversion.text import as_list, as_object, label

MAX_CHANGES = 300
"""Changes listed of one tool or of all settings; what is beyond is counted."""
SHOWN_VALUE = 2_000
"""Characters of one value on a page."""

_WORDS_FROM = 60
"""Texts from this length on are compared by words."""
_LISTS_COMPARED = 90_000

ChangeKind = Literal["added", "removed", "changed", "moved"]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One value that differs; ``before`` or ``after`` is None where there was or is none."""

    path: str
    before: str | None
    after: str | None
    text: TextDiff | None = None
    """Replaces the two values if both are long texts."""


@dataclasses.dataclass(frozen=True, slots=True)
class ToolChange:
    """What became of one tool; ``more`` counts changes that are not listed."""

    name: str
    kind: ChangeKind
    changes: tuple[Change, ...] = ()
    more: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SpecDiff:
    """Everything in which two specs differ."""

    instructions: TextDiff
    tools: tuple[ToolChange, ...]
    unchanged_tools: int
    settings: tuple[Change, ...]
    more_settings: int = 0

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return self.instructions.is_same and not self.tools and not self.settings

    @property
    def summary(self) -> str:
        """A short summary, without content."""
        said = []
        if not self.instructions.is_same:
            said.append(
                f"instructions (−{self.instructions.removed:,} +{self.instructions.added:,} characters)"
            )
        for kind in ("added", "removed", "changed", "moved"):
            count = sum(tool.kind == kind for tool in self.tools)
            if count:
                said.append(f"{count} tool{'s' if count > 1 else ''} {kind}")
        names = list(
            dict.fromkeys(change.path.partition(".")[0].partition("[")[0] for change in self.settings)
        )
        said += names[:6] + ([f"{len(names) - 6} more settings"] if len(names) > 6 else [])
        return ", ".join(said)


def spec_diff(before: JsonObject, after: JsonObject) -> SpecDiff:
    """Compare two specs."""
    tools, unchanged = _tools(as_list(before.get("tools")), as_list(after.get("tools")))
    settings = list(_changes(_settings(before), _settings(after), ""))
    return SpecDiff(
        instructions=text_diff(_text(before), _text(after)),
        tools=tools,
        unchanged_tools=unchanged,
        settings=tuple(settings[:MAX_CHANGES]),
        more_settings=max(0, len(settings) - MAX_CHANGES),
    )


def tool_names(tools: Sequence[Any]) -> list[str]:
    """A name for each tool, no two alike: a function's own, else its type, with a number where it comes again."""
    seen: dict[str, int] = {}
    names = []
    for tool in map(as_object, tools):
        kind, own = tool.get("type"), tool.get("name")
        name = label(own) if kind in ("function", "custom") and isinstance(own, str) else label(kind)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _text(spec: JsonObject) -> str:
    instructions = spec.get("instructions")
    return instructions if isinstance(instructions, str) else ""


def _settings(spec: JsonObject) -> JsonObject:
    settings = {name: value for name, value in spec.items() if name not in ("instructions", "tools")}
    # Other types are compared with the settings, so that no difference is left out.
    for name, wanted in (("instructions", str), ("tools", list)):
        if name in spec and not isinstance(spec[name], wanted):
            settings[name] = spec[name]
    return settings


def _tools(before: Sequence[Any], after: Sequence[Any]) -> tuple[tuple[ToolChange, ...], int]:
    left = dict(zip(tool_names(before), before, strict=True))
    right = dict(zip(tool_names(after), after, strict=True))
    shared_left = [name for name in left if name in right]
    shared_right = [name for name in right if name in left]
    moved = _moved(shared_left, shared_right)
    found: list[ToolChange] = []
    for name, tool in right.items():
        if name not in left:
            found.append(ToolChange(name, "added", *_limited(_changes({}, tool, ""))))
            continue
        changes, more = _limited(_changes(left[name], tool, ""))
        if changes:
            found.append(ToolChange(name, "changed", changes, more))
        elif name in moved:
            found.append(ToolChange(name, "moved"))
    found += [
        ToolChange(name, "removed", *_limited(_changes(tool, {}, "")))
        for name, tool in left.items()
        if name not in right
    ]
    unchanged = len(shared_left) - sum(change.kind in ("changed", "moved") for change in found)
    return tuple(found), unchanged


def _moved(before: list[str], after: list[str]) -> set[str]:
    """The names that stand elsewhere among those that both have."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    kept = {
        name for block in matcher.get_matching_blocks() for name in before[block.a : block.a + block.size]
    }
    return set(after) - kept


def _limited(changes: Iterator[Change]) -> tuple[tuple[Change, ...], int]:
    listed = list(changes)
    return tuple(listed[:MAX_CHANGES]), max(0, len(listed) - MAX_CHANGES)


def _changes(before: object, after: object, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            here = f"{path}.{label(name)}" if path else label(name)
            if name not in before:
                yield Change(here, None, _shown(after[name]))
            elif name not in after:
                yield Change(here, _shown(before[name]), None)
            else:
                yield from _changes(before[name], after[name], here)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(before, after, path)
    elif _written(before) != _written(after):
        long_texts = (
            isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) >= _WORDS_FROM
        )
        text = text_diff(str(before), str(after)) if long_texts else None
        yield Change(path, _shown(before), _shown(after), text)


def _list_changes(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    """Entries that came, went or differ; neighbours that changed in equal number are compared in pairs."""
    left, right = [_written(entry) for entry in before], [_written(entry) for entry in after]
    if left != right and len(left) * len(right) > _LISTS_COMPARED:
        yield Change(path, f"{len(left):,} entries", f"{len(right):,} entries")
        return
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        pairs = min(i2 - i1, j2 - j1)
        for offset in range(pairs):
            yield from _changes(before[i1 + offset], after[j1 + offset], f"{path}[{j1 + offset}]")
        for index in range(i1 + pairs, i2):
            yield Change(f"{path}[{index}]", _shown(before[index]), None)
        for index in range(j1 + pairs, j2):
            yield Change(f"{path}[{index}]", None, _shown(after[index]))


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _shown(value: object) -> str:
    text = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
    )
    more = len(text) - SHOWN_VALUE
    return text if more <= 0 else f"{text[:SHOWN_VALUE]}… ({more:,} more characters)"
