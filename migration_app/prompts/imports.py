"""Import of edited prompt files: each becomes a new draft version, or is refused with its name and key.

All files are read and checked before the first version is made, and all versions are made together or none.
Modules are read, never run (``prompt_module``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import transaction

from migration_app.contracts import Actor, JsonObject
from migration_app.conversion.prompts.spec_rules import spec_problems
from migration_app.conversion.prompts.specs import spec_text
from migration_app.conversion.text import label
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.files import DOCUMENT_KEYS
from migration_app.prompts.module import ModuleUnreadableError, PromptFacts, module_read
from migration_app.prompts.versions import version_create
from migration_app.prompts.weight import MOST_VALUES, TextOpenError, values_exceed

MAX_FILE_BYTES = 8 << 20
"""A prompt's file is much smaller: 256,000 characters of instructions, each as an escape, are 3 MB."""

_PROBLEMS_SHOWN = 5
_FACTS: dict[str, type] = {
    "slug": str,
    "name": str,
    "assistant_id": str,
    "version": int,
    "sha256": str,
    "fidelity": str,
    "findings": list,
}


class PromptFileError(ValueError):
    """A file can't be imported. Says which, where in it, and what to do; holds no content of the prompt."""


@dataclasses.dataclass(frozen=True, slots=True)
class ImportedFile:
    """What became of a file. ``version`` is None if nothing changed.

    ``behind``: the newest version that the file does not know, since it was exported before that was made; else 0.
    """

    file_name: str
    slug: str
    version: int | None
    behind: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """A file that was read. Its spec is kept as canonical text: a thousand of them as objects would weigh gigabytes."""

    file_name: str
    facts: PromptFacts
    text: str

    @property
    def spec(self) -> JsonObject:
        """The spec, decoded each time it is asked for."""
        spec: JsonObject = json.loads(self.text)
        return spec


def prompts_import(*, files: Sequence[tuple[str, bytes]], author: Actor) -> list[ImportedFile]:
    """Make a draft of each file (its name and content) that changed something. PromptFileError; then none is made.

    A file that equals the version it was exported from, or the newest one, is unchanged: so a
    whole directory can be imported. Two files of one prompt (JSON and module) must not have different changes.
    """
    read = [_read(name, content) for name, content in files]
    with transaction.atomic():
        imported = []
        new: dict[str, _Read] = {}
        for each in read:
            prompt = _prompt(each)
            newest = prompt.current_version
            if _says_nothing_new(prompt, newest, each):
                imported.append(ImportedFile(each.file_name, prompt.slug, None))
                continue
            _check_spec(each)
            other = new.setdefault(prompt.slug, each)
            if other is not each:
                if other.text != each.text:
                    raise PromptFileError(
                        f"{other.file_name} and {each.file_name} have different content for {prompt.slug}: "
                        "edit or import only one of them."
                    )
                imported.append(ImportedFile(each.file_name, prompt.slug, None))
                continue
            imported.append(_version_of(prompt, newest, each, author))
    return imported


def files_of(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Read these files, and of directories every .json and .py in them that is a prompt's. PromptFileError, OSError."""
    found: list[tuple[str, bytes]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix in (".json", ".py"))
            found += [_content(entry) for entry in inside if entry.is_file() and entry.name != "__init__.py"]
        else:
            found.append(_content(path))
    return found


def _content(path: Path) -> tuple[str, bytes]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise PromptFileError(f"{path.name}: it is larger than any prompt ({MAX_FILE_BYTES >> 20} MiB).")
    return path.name, path.read_bytes()


def _read(name: str, content: bytes) -> _Read:
    shown = label(name)
    if len(content) > MAX_FILE_BYTES:
        raise PromptFileError(f"{shown}: it is larger than any prompt ({MAX_FILE_BYTES >> 20} MiB).")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PromptFileError(f"{shown}: it is not UTF-8 (byte {error.start}).") from None
    if name.endswith(".py"):
        try:
            facts, spec = module_read(text)
        except ModuleUnreadableError as error:
            raise PromptFileError(f"{shown}: {error}.") from None
    elif name.endswith(".json"):
        facts, spec = _document_read(shown, text)
    else:
        raise PromptFileError(f"{shown}: a prompt's file ends in .json or .py.")
    try:
        return _Read(shown, facts, spec_text(spec))
    except (ValueError, RecursionError):
        raise PromptFileError(f"{shown}: spec holds a number or a nesting that JSON can't carry.") from None


def _document_read(name: str, text: str) -> tuple[PromptFacts, JsonObject]:
    document = _decoded(name, text)
    for key in document:
        if key not in DOCUMENT_KEYS:
            raise PromptFileError(
                f"{name}: the key {label(key)} is unknown; there are: {', '.join(DOCUMENT_KEYS)}."
            )
    for key, kind in _FACTS.items():
        if key in document and type(document[key]) is not kind:
            raise PromptFileError(f"{name}: {key}: it must be a {_WORDS[kind]}.")
    if not document.get("slug"):
        raise PromptFileError(f"{name}: slug: it is missing, so the spec's prompt is unknown.")
    if not isinstance(document.get("spec"), dict):
        raise PromptFileError(f"{name}: spec: it must be an object, the arguments for responses.create.")
    named = ("slug", "name", "assistant_id", "version", "sha256")
    return PromptFacts(**{key: document[key] for key in named if key in document}), document["spec"]


def _check_weight(name: str, text: str) -> None:
    if values_exceed(text, MOST_VALUES):
        raise PromptFileError(f"{name}: it holds more values than any prompt.")


def _decoded(name: str, text: str) -> JsonObject:
    """The document; each key once in each object, and no number that is none."""

    def unique(pairs: list[tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _value in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise PromptFileError(f"{name}: the key {label(twice)} occurs twice in one object.")
        return found

    def refuse(constant: str) -> float:
        raise PromptFileError(f"{name}: {constant} is no JSON number.")

    try:
        _check_weight(name, text)
        document = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except TextOpenError as error:
        raise PromptFileError(f"{name}: it is damaged: line {error.line}: a text has no end.") from None
    except PromptFileError:
        raise
    except json.JSONDecodeError as error:
        raise PromptFileError(f"{name}: it is damaged: line {error.lineno}: {error.msg}.") from None
    except (ValueError, RecursionError) as error:
        raise PromptFileError(f"{name}: it can't be read ({type(error).__name__}).") from None
    if not isinstance(document, dict):
        raise PromptFileError(f"{name}: it is no JSON object with slug and spec.")
    return document


_WORDS = {str: "text", int: "whole number", list: "list"}


def _prompt(each: _Read) -> Prompt:
    facts = each.facts
    # No slug with other characters was ever given, and PostgreSQL could not even compare with some.
    known = facts.slug.isascii() and facts.slug.isprintable()
    prompt = Prompt.objects.select_related("assistant").filter(slug=facts.slug).first() if known else None
    if prompt is None:
        raise PromptFileError(f"{each.file_name}: slug: there is no prompt {label(facts.slug)}.")
    if facts.assistant_id not in ("", prompt.assistant.assistant_id):
        raise PromptFileError(f"{each.file_name}: assistant_id: {prompt.slug} is another assistant's prompt.")
    if facts.name not in ("", prompt.name):
        raise PromptFileError(
            f"{each.file_name}: name: an import does not rename {prompt.slug}; put its name back."
        )
    return prompt


def _says_nothing_new(prompt: Prompt, newest: PromptVersion | None, each: _Read) -> bool:
    if newest is not None and newest.spec_json == each.text:
        return True
    exported = prompt.versions.filter(number=each.facts.version).first() if _is_number(each) else None
    return exported is not None and exported.spec_json == each.text


def _is_number(each: _Read) -> bool:
    return 0 < each.facts.version < 2**31


def _check_spec(each: _Read) -> None:
    problems = spec_problems(each.spec)
    if problems:
        listed = "; ".join(f"{problem.place}: {problem.text}" for problem in problems[:_PROBLEMS_SHOWN])
        more = len(problems) - _PROBLEMS_SHOWN
        raise PromptFileError(
            f"{each.file_name}: responses.create would refuse it: {listed}"
            + (f"; and {more} more." if more > 0 else ".")
        )


def _version_of(prompt: Prompt, newest: PromptVersion | None, each: _Read, author: Actor) -> ImportedFile:
    base = f", edited from version {each.facts.version}" if _is_number(each) else ""
    version = version_create(
        prompt=prompt,
        spec=each.spec,
        origin=PromptVersion.Origin.IMPORTED,
        author=author,
        note=f"Imported from {each.file_name}{base}.",
    )
    if version is None:
        return ImportedFile(each.file_name, prompt.slug, None)
    behind = newest.number if newest and _is_number(each) and each.facts.version < newest.number else 0
    return ImportedFile(each.file_name, prompt.slug, version.number, behind)
