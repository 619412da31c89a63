"""The console's side of the archive import: what ``manage.py import_archive`` does with a file, measured.

python -m bench.files.imports_console       commands as lines of JSON, see bench.children
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django

django.setup()

from bench.children import answer_commands  # noqa: E402 - models can only be imported after the set-up
from bench.files.console import Memory, clear, ignore  # noqa: E402
from bench.measure import Spending  # noqa: E402
from migration_app.contracts import Actor  # noqa: E402
from migration_app.imports.imports import import_create, import_read  # noqa: E402
from migration_app.models import SourceImport  # noqa: E402

ACTOR = Actor("bench")


def archive_import(*, path: str) -> dict[str, Any]:
    """Import an archive, and say what came of it and what it took."""
    file = Path(path)
    memory = Memory()
    with Spending() as spent, file.open("rb") as stream, memory:
        source_import = import_create(
            kind=SourceImport.Kind.ARCHIVE,
            file_name=file.name,
            file_bytes=file.stat().st_size,
            actor=ACTOR,
            reason="bench",
        )
        import_read(source_import=source_import, stream=stream, actor=ACTOR, reject_sink=ignore)
    source_import.refresh_from_db()
    return {**spent.seconds(), "memory": memory.grown, "counts": source_import.counts}


if __name__ == "__main__":
    answer_commands({"import": archive_import, "clear": clear})
