"""The limits that docs/ names are those of the code: whoever plans by the one meets the other."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from pkgutil import resolve_name

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MB = 1 << 20
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


@functools.cache
def text_of(name: str) -> str:
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("document", "sentence", "limits", "unit"),
    [
        # What an archive may hold.
        ("conversion.md", "is missing, no string, over {} characters", ["archive.ids:MAX_ID_LENGTH"], 1),
        (
            "conversion.md",
            "| over {} characters | left out | `text_too_long`",
            ["conversion.items.parts:MAX_TEXT"],
            1,
        ),
        (
            "conversion.md",
            "| over {} characters | left out | `image_too_long`",
            ["conversion.items.parts:MAX_IMAGE_URL"],
            1,
        ),
        (
            "conversion.md",
            "| over {} characters | derived from the id",
            ["conversion.items.function_calls:MAX_CALL_ID"],
            1,
        ),
        (
            "conversion.md",
            "At most {} citations of a text are named, in lines of at most {} characters",
            ["conversion.fallbacks:_CITATIONS_NAMED", "conversion.fallbacks:_CITATION_LENGTH"],
            1,
        ),
        ("conversion.md", "| after {} usable pairs", ["contracts:MAX_METADATA_PAIRS"], 1),
        (
            "conversion.md",
            "key over {} or value over {} characters",
            ["contracts:MAX_METADATA_KEY", "contracts:MAX_METADATA_VALUE"],
            1,
        ),
        (
            "conversion.md",
            "`code_interpreter` files | more than {} ",
            ["conversion.prompts.spec_rules:MAX_CONTAINER_FILES"],
            1,
        ),
        (
            "runbook.md",
            "a CSV line {} MB, a row {} MB, a cell {} million characters",
            [f"archive.files.rows:MAX_{name}" for name in ("LINE_BYTES", "RECORD_BYTES", "CELL_CHARACTERS")],
            MB,
        ),
        ("runbook.md", "unpacks to more than {} times its size", ["archive.files.streams:UNPACK_RATIO"], 1),
        # What is kept of an import, and who takes it over.
        ("runbook.md", "The first {} MB of rejected lines are kept whole", ["imports.tally:KEPT_BYTES"], MB),
        ("runbook.md", "the first {} bytes of each line after that", ["imports.tally:_BEGINNING_BYTES"], 1),
        (
            "runbook.md",
            "A worker that is stopped (SIGTERM) has {} seconds",
            ["imports.tasks:_GRACE_SECONDS"],
            1,
        ),
        # What pages count, convert, find and keep.
        (
            "runbook.md",
            "A page converts at most {} threads ({} messages)",
            ["batches.preflight:CONVERTED_THREADS", "batches.preflight:CONVERTED_MESSAGES"],
            1,
        ),
        (
            "runbook.md",
            "counts findings exactly up to {} threads",
            ["batches.preflight_large:EXACT_THREADS"],
            1,
        ),
        ("runbook.md", "they end at *more than {}*", ["admin.base.paging:COUNTED_UP_TO"], 1),
        ("runbook.md", "they end at *more than {}*", ["operation.attention:COUNTED_UP_TO"], 1),
        ("runbook.md", "they end at *more than {}*", ["admin.batches.approval:_COUNTED_UP_TO"], 1),
        ("runbook.md", "they end at *more than {}*", ["reconciliation.database:COUNTED_UP_TO"], 1),
        ("runbook.md", "they end at *more than {}*", ["review.queue:COUNTED_UP_TO"], 1),
        ("runbook.md", "they end at *more than {}*", ["threads.orphans:_COUNTED_UP_TO"], 1),
        ("runbook.md", "it takes the {} oldest at most", ["review.queue:MOST_ASSIGNED"], 1),
        (
            "runbook.md",
            "It shows up to {} threads and says if there are more",
            ["threads.search:FOUND_UP_TO"],
            1,
        ),
        (
            "runbook.md",
            "keys of many ticked rows are kept for {} days",
            ["threads.kept_selections:KEPT_FOR"],
            DAY,
        ),
        ("runbook.md", "no worker has called it for {} minutes", ["operation.health:_FRESH"], MINUTE),
        ("runbook.md", "over all threads ({} by default", ["reconciliation.records:DEFAULT_SAMPLE"], 1),
        ("prompts.md", "the model shuts down within {} days", ["readiness.target_models:NEAR_DAYS"], 1),
        # What is kept of content.
        ("security.md", "Its message ({} characters at most)", ["gateways.errors:_TEXT_KEPT"], 1),
        ("security.md", "within bounds ({} items", ["engine.reading:MOST_ITEMS"], 1),
        ("security.md", "items, {} kB)", ["engine.reading:MOST_BYTES"], 1000),
        ("architecture.md", "with at most {} before it", ["engine.reading:ITEMS_BEFORE"], 1),
        ("architecture.md", "no single item above {} kB", ["engine.reading:ITEM_BYTES"], 1000),
        # What strangers and users may send.
        (
            "security.md",
            "without a session are read up to {} kB",
            ["admin.base.body_limit:STRANGER_BYTES"],
            1024,
        ),
        ("security.md", "forms of signed-in users up to {} MB", ["admin.base.body_limit:FORM_BYTES"], MB),
        ("security.md", "page for edited prompts {} MB", ["admin.base.body_limit:PROMPT_FILES_BYTES"], MB),
        (
            "security.md",
            "A typed name is stored with at most {} characters",
            ["admin.accounts.sign_in:_NAME_SHOWN"],
            1,
        ),
        ("security.md", "signed in during the last {} days", ["admin.accounts.sign_in:KNOWN_FOR"], DAY),
    ],
)
def test_a_limit_is_what_the_documents_say(
    document: str, sentence: str, limits: list[str], unit: int | dt.timedelta
) -> None:
    figures = [resolve_name(f"migration_app.{limit}") / unit for limit in limits]
    assert sentence.format(*(f"{figure:,.10g}" for figure in figures)) in text_of(document)
