"""One side of bench.admin_pages: fills a database with an estate, and asks the admin's pages, timing each.

python -m bench.admin_pages_console       commands as lines of JSON, see bench.children
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 - models can only be imported after the set-up
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402

from bench.children import answer_commands  # noqa: E402
from migration_app.admin.base.selections import selection_seal  # noqa: E402
from migration_app.counters import counters_fold  # noqa: E402
from migration_app.models import Assistant, AuditEvent, Batch, Conversation, SourceObject, Thread  # noqa: E402
from migration_app.threads.selections import selection_of_filters  # noqa: E402

_THREADS_OF_AN_ASSISTANT = 500
_BATCHES = 200
_TABLES = (Thread, Conversation, AuditEvent, SourceObject)

# The oldest three fifths are verified: a filter on them has to come past everything newer.
_THREADS = """
    INSERT INTO migration_app_thread
        (thread_id, user_ref, assistant_id, status, fidelity, message_count, run_count, item_count, chunk_count,
         payload_bytes, finding_counts, error_code, error_text, attempts, batch_id, pending_work, created_at,
         updated_at, snapshot_at, resources)
    SELECT 'thread_' || lpad(n::text, 8, '0'), 'user-' || n / 3, first_assistant + n %% (%(threads)s / 500), status,
           CASE WHEN status = 'registered' THEN '' WHEN status = 'blocked' THEN 'blocked'
                WHEN n %% 10 < 6 THEN 'exact' WHEN n %% 10 < 9 THEN 'transformed' ELSE 'lossy' END,
           12, 3, 10 + n %% 200, 1 + n %% 10, 4000,
           CASE WHEN n %% 50000 = 7 THEN '{"object_conflict": 1}' WHEN n %% 100 = 3 THEN '{"image_on_assistant": 2}'
                WHEN n %% 3 = 0 THEN '{"message_empty": 1}' ELSE '{}' END::jsonb,
           CASE WHEN status = 'failed' THEN (ARRAY['timeout', 'server_error', 'bad_request'])[1 + n %% 3]
                WHEN status = 'blocked' THEN 'blocked_by_findings'
                WHEN status = 'needs_review' THEN 'source_grown' ELSE '' END, '', 0,
           CASE WHEN status NOT IN ('registered', 'snapshotted') THEN first_batch + (n %% 200) * (n %% 2) END,
           CASE WHEN status = 'queued' THEN 'backfill' ELSE '' END,
           now(), now(), CASE WHEN status <> 'registered' THEN now() END, ''
    FROM (
        SELECT n, (SELECT min(id) FROM migration_app_assistant) AS first_assistant,
               (SELECT min(id) FROM migration_app_batch) AS first_batch,
               CASE WHEN n <= %(threads)s * 3 / 5 THEN 'verified' WHEN n %% 20 < 9 THEN 'snapshotted'
                    WHEN n %% 20 < 13 THEN 'registered' WHEN n %% 20 < 15 THEN 'backfilled'
                    WHEN n %% 20 = 15 THEN 'failed' WHEN n %% 20 = 16 THEN 'blocked' WHEN n %% 20 = 17 THEN 'excluded'
                    WHEN n %% 20 = 18 THEN 'needs_review' ELSE 'queued' END AS status
        FROM generate_series(1, %(threads)s) AS n
    ) AS drawn
"""
_CONVERSATIONS = """
    INSERT INTO migration_app_conversation
        (thread_id, conversation_id, state, item_count, fingerprint, policies, policies_version, replacements,
         create_request_id, intended_at, created_at, completed_at, verified_at, mapped_at)
    SELECT id, 'conv_' || lpad(id::text, 8, '0'),
           CASE WHEN status = 'verified' THEN 'verified' WHEN status = 'backfilled' THEN 'complete' ELSE 'open' END,
           item_count, '', '{}', 1, '[]', 'req_' || id, now(), now(), now(), now(), now()
    FROM migration_app_thread ORDER BY id
"""
_AUDIT = """
    INSERT INTO migration_app_auditevent
        (at, actor, verb, subject_kind, subject_id, before, after, reason, batch_pk, job_id, request_id)
    SELECT timestamptz '2026-11-01' + n * (interval '20 days' / (4 * %(threads)s)), 'worker',
           (ARRAY['thread.registered', 'thread.queued', 'thread.backfilled', 'thread.verified'])[1 + n / %(threads)s],
           'thread', 'thread_' || lpad((1 + n %% %(threads)s)::text, 8, '0'), 'queued', 'verified', '',
           CASE WHEN n >= %(threads)s THEN (SELECT min(id) FROM migration_app_batch) + n %% 200 END, '', ''
    FROM generate_series(0, 4 * %(threads)s - 1) AS n
"""
_OBJECTS = """
    INSERT INTO migration_app_sourceobject (kind, object_id, state, payload, sha256, redacted, received_at)
    SELECT (ARRAY['file', 'vector_store'])[1 + n %% 2], 'object-' || n,
           CASE WHEN n %% 1000 = 1 THEN 'conflict' ELSE 'current' END, '', '', false, now()
    FROM generate_series(1, %(threads)s / 5) AS n
"""

_client = Client(HTTP_HOST="localhost")
_pages: dict[str, Callable[[], Any]] = {}


def fill(threads: int) -> int:
    """Make the tables and fill them; indexes are built when the rows are there. Returns the rows of the audit trail."""
    call_command("migrate", verbosity=0)
    Assistant.objects.bulk_create(
        Assistant(assistant_id=f"asst_{number}") for number in range(threads // _THREADS_OF_AN_ASSISTANT)
    )
    Batch.objects.bulk_create(
        Batch(
            kind="backfill",
            state="running" if number == _BATCHES - 1 else "finished",
            filter={"filters": {}, "search": ""},
            max_thread_pk=threads,
            reason="bench",
            created_by_name="bench",
            taken_count=threads // _BATCHES,
        )
        for number in range(_BATCHES)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SET synchronous_commit = off")
        tables = [model._meta.db_table for model in _TABLES]  # noqa: SLF001 - Django's documented Model._meta
        cursor.execute(
            "SELECT i.indexname, i.indexdef FROM pg_indexes AS i WHERE i.tablename = ANY(%s) AND NOT EXISTS"
            " (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexname::regclass)",
            [tables],
        )
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        for statement in (_THREADS, _CONVERSATIONS, _AUDIT, _OBJECTS):
            cursor.execute(statement, {"threads": threads})
        for _name, definition in indexes:
            cursor.execute(definition)
        counters_fold()
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return 4 * threads


def pages() -> list[str]:
    """Sign in, and name the pages."""
    settings.ALLOWED_HOSTS = ["localhost"]
    user = User.objects.create_superuser("bench")
    _client.force_login(user)
    _pages.update(_made())
    return list(_pages)


def page(name: str) -> float:
    """Milliseconds of a page. A page that does not answer 200 (or leads on, after a start) ends the run."""
    begun = time.perf_counter()
    response: HttpResponse = _pages[name]()
    spent = time.perf_counter() - begun
    if response.status_code not in {200, 302} or (response.status_code == 302 and "start" not in name):
        raise RuntimeError(f"{name} answered {response.status_code} {response.headers.get('Location', '')}")
    return 1000 * spent


def _made() -> dict[str, Callable[[], Any]]:
    middle = Thread.objects.filter(status="verified").order_by("pk")[1000]
    batch, newest = Batch.objects.order_by("pk")[0], Batch.objects.order_by("-pk")[0]
    assistant = Assistant.objects.order_by("pk")[7]
    conversation = Conversation.objects.get(thread=middle)
    lists: dict[str, tuple[str, list[tuple[str, dict[str, str]]]]] = {
        "threads": (
            "thread",
            [
                ("first page", {}),
                ("page 200", {"p": "200"}),
                ("last page", {"p": "-1"}),
                ("last page but 100", {"p": "-101"}),
                ("verified", {"status__exact": "verified"}),
                ("verified, last page", {"status__exact": "verified", "p": "-1"}),
                ("snapshotted", {"status__exact": "snapshotted"}),
                ("snapshotted, page 50", {"status__exact": "snapshotted", "p": "50"}),
                ("lossy", {"fidelity__exact": "lossy"}),
                ("lossy, last page", {"fidelity__exact": "lossy", "p": "-1"}),
                ("error code", {"error_code__exact": "timeout"}),
                ("assistant", {"assistant__id__exact": str(assistant.pk)}),
                ("assistant, last page", {"assistant__id__exact": str(assistant.pk), "p": "-1"}),
                ("batch", {"batch__id__exact": str(batch.pk)}),
                ("batch, last page", {"batch__id__exact": str(batch.pk), "p": "-1"}),
                ("batch and status", {"batch__id__exact": str(batch.pk), "status__exact": "verified"}),
                ("status and fidelity", {"status__exact": "verified", "fidelity__exact": "lossy"}),
                ("status and fidelity, none", {"status__exact": "verified", "fidelity__exact": "blocked"}),
                (
                    "assistant and status",
                    {"assistant__id__exact": str(assistant.pk), "status__exact": "verified"},
                ),
                ("frequent finding", {"finding__exact": "message_empty"}),
                ("rarer finding", {"finding__exact": "image_on_assistant"}),
                ("finding that no thread has", {"finding__exact": "message_order_uncertain"}),
                ("finding and status", {"finding__exact": "image_on_assistant", "status__exact": "failed"}),
                ("search: thread id", {"q": middle.thread_id}),
                ("search: conversation id", {"q": conversation.conversation_id}),
                ("search: user", {"q": middle.user_ref}),
                ("search: nothing found", {"q": "thread_none"}),
            ],
        ),
        "conversations": (
            "conversation",
            [
                ("first page", {}),
                ("last page", {"p": "-1"}),
                ("verified", {"state__exact": "verified"}),
                ("open, page 100", {"state__exact": "open", "p": "100"}),
                ("verified, last page", {"state__exact": "verified", "p": "-1"}),
                ("search: thread id", {"q": middle.thread_id}),
            ],
        ),
        "audit": (
            "auditevent",
            [
                ("first page", {}),
                ("page 100", {"p": "100"}),
                ("last page", {"p": "-1"}),
                ("verb", {"verb__exact": "thread.registered"}),
                ("verb, last page", {"verb__exact": "thread.backfilled", "p": "-1"}),
                ("one day", {"at_from": "2026-11-07", "at_to": "2026-11-07"}),
                (
                    "verb on a day",
                    {"verb__exact": "thread.queued", "at_from": "2026-11-07", "at_to": "2026-11-07"},
                ),
                ("batch", {"batch_pk__exact": str(batch.pk)}),
                ("verb in a batch", {"batch_pk__exact": str(batch.pk), "verb__exact": "thread.queued"}),
                ("search: thread id", {"q": middle.thread_id}),
            ],
        ),
        "files and vector stores": (
            "sourceobject",
            [
                ("first page", {}),
                ("kind", {"kind__exact": "file"}),
                ("conflicts", {"state__exact": "conflict"}),
                ("search", {"q": "object-77"}),
            ],
        ),
        "batches": ("batch", [("first page", {}), ("running", {"state__exact": "running"})]),
        "assistants": ("assistant", [("first page", {})]),
    }
    made: dict[str, Callable[[], Any]] = {"dashboard": _get("/admin/")}
    for title, (model, queries) in lists.items():
        for words, query in queries:
            made[f"{title}: {words}"] = _get(f"/admin/migration_app/{model}/", query)
    made["one thread"] = _get(f"/admin/migration_app/thread/{middle.pk}/change/")
    made["one conversation"] = _get(f"/admin/migration_app/conversation/{conversation.pk}/change/")
    for words, row in (("largest batch", batch), ("running batch", newest)):
        made[f"{words}: page"] = _get(f"/admin/migration_app/batch/{row.pk}/change/")
        made[f"{words}: progress"] = _get(f"/admin/migration_app/batch/{row.pk}/progress.json")
    made["all matching → backfill: confirm"] = _post(
        "/admin/migration_app/thread/",
        {"action": "backfill", "select_across": "1", "index": "0", "_selected_action": [str(middle.pk)]},
    )
    act = "/admin/migration_app/thread/act"
    for name, query in (
        ("backfill", {"status__exact": "snapshotted"}),
        ("verify", {}),
        ("retry", {"status__exact": "failed"}),
        ("exclude", {"fidelity__exact": "lossy"}),
        ("snapshot", {}),
        ("preflight", {"assistant__id__exact": str(assistant.pk)}),
        ("preflight", {"finding__exact": "message_empty"}),
        ("preflight", {"batch__id__exact": str(batch.pk), "fidelity__exact": "exact"}),
        ("export", {}),
    ):
        narrowed = " and ".join(part.split("__")[0] for part in query) or "all"
        made[f"confirm {name}: {narrowed}"] = _get(f"{act}/{name}/", query)
    sealed = selection_seal(selection_of_filters({}))
    made["preflight as CSV: all"] = _post(f"{act}/preflight/", {"selection": sealed})
    made["start a backfill of all"] = _undone(
        _post(f"{act}/backfill/", {"selection": sealed, "reason": "bench"})
    )
    return made


def _get(path: str, query: dict[str, str] | None = None) -> Callable[[], Any]:
    return lambda: _client.get(path, query or {}, secure=True)


def _post(path: str, data: dict[str, Any]) -> Callable[[], Any]:
    return lambda: _client.post(path, data, secure=True)


def _undone(ask: Callable[[], Any]) -> Callable[[], Any]:
    """What it writes is rolled back: each round finds the same estate."""

    def run() -> Any:
        with transaction.atomic():
            response = ask()
            transaction.set_rollback(True)
        return response

    return run


if __name__ == "__main__":
    answer_commands({"fill": fill, "pages": pages, "page": page})
