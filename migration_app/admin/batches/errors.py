"""The errors with which threads of a batch ended: how many, examples, and how many can be retried. Reads only."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.urls import reverse

from migration_app.admin.batches.outcome import RETRYABLE, batch_threads_url, results_url, retry_url
from migration_app.batches.progress import Progress
from migration_app.counters import tally_lines
from migration_app.models import Batch

_SHOWN = 20

_EXAMPLES = """
SELECT code, t.id, t.thread_id
FROM unnest(%s::text[]) AS code, LATERAL (
    SELECT thread_id FROM migration_app_batchresult
    WHERE batch_id = %s AND error_code = code AND error_code <> '' ORDER BY thread_id DESC LIMIT 3
) AS found JOIN migration_app_thread AS t ON t.id = found.thread_id
ORDER BY found.thread_id DESC
"""


@dataclasses.dataclass(slots=True)
class _Error:
    """Threads that ended with one error; of those still in the batch, how many are being tried again or can be."""

    ended: int = 0
    retried: int = 0
    retryable: int = 0


def error_rows(batch: Batch, progress: Progress, *, may_retry: bool) -> list[dict[str, Any]]:
    """One row an error, the most frequent first: what the template shows of it."""
    errors = _errors(batch, progress)
    codes = sorted(errors, key=lambda code: (-errors[code].ended, code))[:_SHOWN]
    examples = _examples(batch, codes)
    return [
        {
            "error_code": code,
            "ended": f"{errors[code].ended:,}",
            "retried": f"{errors[code].retried:,}",
            "retryable": f"{errors[code].retryable:,}",
            "is_all": errors[code].retryable == errors[code].ended,
            "url": results_url(batch, error_code=code)
            if errors[code].ended
            else batch_threads_url(batch, error_code=code),
            "examples": examples.get(code, []),
            "retry_url": retry_url(batch, error_code=code) if may_retry and errors[code].retryable else "",
        }
        for code in codes
    ]


def _errors(batch: Batch, progress: Progress) -> dict[str, _Error]:
    found: dict[str, _Error] = collections.defaultdict(_Error)
    for line in progress.results:
        if line.error_code:
            found[line.error_code].ended += line.threads
    for tally in tally_lines(batch_pk=batch.pk):
        if tally.error_code and tally.pending_work:
            found[tally.error_code].retried += tally.threads
        elif tally.error_code in found and tally.status in RETRYABLE:
            found[tally.error_code].retryable += tally.threads
    return dict(found)


def _examples(batch: Batch, codes: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Up to three threads an error, newest first, by one query."""
    found: dict[str, list[dict[str, str]]] = {}
    if codes:
        with connection.cursor() as cursor:
            cursor.execute(_EXAMPLES, [list(codes), batch.pk])
            for code, pk, thread_id in cursor.fetchall():
                url = reverse("admin:migration_app_thread_change", args=[pk])
                found.setdefault(code, []).append({"thread_id": thread_id, "url": url})
    return found
