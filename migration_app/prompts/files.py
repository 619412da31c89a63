"""Export of prompts: files for source control, as a zip or in a directory, and whether these are up to date.

A prompt's active version is exported; one without is left out unless the newest is asked for. The same versions give
the same bytes everywhere: no times, no order of the database's, nothing of the machine.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from django.db.models import QuerySet

from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.module import PromptFacts, module_stems, module_text

Format = Literal["json", "py", "both"]
FORMATS: tuple[str, ...] = get_args(Format)

DOCUMENT_KEYS = ("assistant_id", "fidelity", "findings", "name", "sha256", "slug", "spec", "version")
"""What a JSON file holds; by these an export knows its own files again."""
_MODULE_MARK = b"Written by the migration console (manage.py export_prompts)."
_MODULE_HEAD_BYTES = 1_000
_SUFFIXES: Mapping[str, tuple[str, ...]] = {"json": (".json",), "py": (".py",), "both": (".json", ".py")}


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """What an export would write: bytes by file name, and the slugs of prompts of which no version is active."""

    files: Mapping[str, bytes]
    left_out: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DirectoryState:
    """How a directory differs from an export: names of files."""

    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.stale or self.left_over)


def prompt_document(version: PromptVersion) -> bytes:
    """One prompt version as a JSON file: whose it is, and the arguments for ``responses.create``."""
    document = {
        "assistant_id": version.prompt.assistant.assistant_id,
        "fidelity": version.fidelity,
        "findings": [
            {key: finding[key] for key in ("code", "severity", "place", "text")}
            for finding in version.findings
        ],
        "name": version.prompt.name,
        "sha256": version.sha256,
        "slug": version.prompt.slug,
        "spec": version.spec,
        "version": version.number,
    }
    return (json.dumps(document, ensure_ascii=True, sort_keys=True, indent=2) + "\n").encode("ascii")


def prompt_module(version: PromptVersion) -> bytes:
    """One prompt version as a Python module."""
    prompt = version.prompt
    facts = PromptFacts(
        prompt.slug, prompt.name, prompt.assistant.assistant_id, version.number, version.sha256
    )
    return module_text(facts, version.spec).encode("ascii")


def version_to_export(prompt: Prompt, *, newest: bool = False) -> PromptVersion | None:
    """The active version; with ``newest``, of a prompt that has none, the newest."""
    return prompt.active_version or (prompt.current_version if newest else None)


def prompts_export(prompts: QuerySet[Prompt], *, format: Format = "both", newest: bool = False) -> Export:  # noqa: A002 - the option's name
    """Make the files of these prompts: ``<slug>.json`` and a module named after the slug."""
    stems = module_stems(Prompt.objects.values_list("slug", flat=True))
    files: dict[str, bytes] = {}
    left_out = []
    for prompt in prompts.select_related("assistant").order_by("slug").iterator(chunk_size=100):
        version = version_to_export(prompt, newest=newest)
        if version is None:
            left_out.append(prompt.slug)
            continue
        version.prompt = prompt  # with its assistant, which saves a query
        if format in ("json", "both"):
            files[f"{prompt.slug}.json"] = prompt_document(version)
        if format in ("py", "both"):
            files[f"{stems[prompt.slug]}.py"] = prompt_module(version)
    return Export(dict(sorted(files.items())), tuple(sorted(left_out)))


def export_zip(export: Export) -> bytes:
    """The files as a zip, below ``prompts/``. Not compressed: what zlib makes differs from machine to machine."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in export.files.items():
            entry = zipfile.ZipInfo(f"prompts/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else the machine's own
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, content)
    return archive.getvalue()


def directory_state(export: Export, directory: Path, *, format: Format = "both") -> DirectoryState:  # noqa: A002 - the option's name
    """Compare a directory with an export of everything; reads only. OSError if it can't be read.

    Left over are files of an earlier export that this one would not write; other files are ignored.
    """
    missing, stale = [], []
    for name, content in export.files.items():
        path = directory / name
        if not path.exists():
            missing.append(name)
        elif path.read_bytes() != content:
            stale.append(name)
    left_over = [
        path.name for path in _our_files(directory, _SUFFIXES[format]) if path.name not in export.files
    ]
    return DirectoryState(tuple(missing), tuple(stale), tuple(left_over))


def directory_write(export: Export, directory: Path, state: DirectoryState) -> None:
    """Bring a directory up to date: write what is missing or stale, remove what is left over. OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in (*state.missing, *state.stale):
        (directory / name).write_bytes(export.files[name])
    for name in state.left_over:
        (directory / name).unlink(missing_ok=True)


def _our_files(directory: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    if not directory.exists():
        return
    for path in sorted(directory.iterdir()):
        if path.suffix in suffixes and path.is_file() and _is_ours(path):
            yield path


def _is_ours(path: Path) -> bool:
    if path.suffix == ".py":
        with path.open("rb") as file:
            return _MODULE_MARK in file.read(_MODULE_HEAD_BYTES)
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and set(document) == set(DOCUMENT_KEYS)
