"""Prompts on their way out: JSON documents for source control."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet

from migration_app.models import Prompt, PromptVersion


def prompt_document(version: PromptVersion) -> bytes:
    """One prompt version as a JSON file: who it is, and the arguments for ``responses.create``.

    ASCII, sorted keys, no times: the same version gives the same bytes everywhere, so that a repository's
    diff shows only real changes.
    """
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


def prompts_archive(prompts: QuerySet[Prompt]) -> bytes:
    """The newest version of each prompt, as a zip of ``<slug>.json``; the same content gives the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, document in _documents(prompts):
            bundle.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), document)
    return archive.getvalue()


def prompts_write(prompts: QuerySet[Prompt], directory: Path) -> list[Path]:
    """Write ``<slug>.json`` for each prompt into a directory, made if it is missing. OSError if it can't be."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in _documents(prompts):
        path = directory / name
        path.write_bytes(document)
        written.append(path)
    return written


def _documents(prompts: QuerySet[Prompt]) -> Iterator[tuple[str, bytes]]:
    for prompt in prompts.select_related("assistant").order_by("slug"):
        version = prompt.current_version
        if version is not None:
            yield f"{prompt.slug}.json", prompt_document(version)
