"""One side of bench.pages.admin: fills a database with an estate, and asks the admin's pages, timing each.

python -m bench.pages.console       commands as lines of JSON, see bench.children
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
from migration_app.counters import COUNTERS  # noqa: E402
from migration_app.models import (  # noqa: E402
    Assistant,
    AuditEvent,
    Batch,
    BatchResult,
    Conversation,
    ReviewCase,
    Run,
    SourceObject,
    Thread,
)
from migration_app.statements import statements_of  # noqa: E402

_SQL = statements_of("bench.pages.console")
_THREADS_OF_AN_ASSISTANT = 500
_BATCHES = 200
_TABLES = (Thread, ReviewCase, Conversation, BatchResult, Run, AuditEvent, SourceObject)


# Below /admin/: each page's name, and its address with what the estate has.
PAGES = {
    "dashboard": "",
    "threads: first page": "migration_app/thread/",
    "threads: page 200": "migration_app/thread/?p=200",
    "threads: last page": "migration_app/thread/?p=-1",
    "threads: last page but 100": "migration_app/thread/?p=-101",
    "threads: verified": "migration_app/thread/?status__exact=verified",
    "threads: verified, last page": "migration_app/thread/?status__exact=verified&p=-1",
    "threads: snapshotted": "migration_app/thread/?status__exact=snapshotted",
    "threads: snapshotted, page 50": "migration_app/thread/?status__exact=snapshotted&p=50",
    "threads: lossy": "migration_app/thread/?fidelity__exact=lossy",
    "threads: lossy, last page": "migration_app/thread/?fidelity__exact=lossy&p=-1",
    "threads: error code": "migration_app/thread/?error_code__exact=timeout",
    "threads: assistant": "migration_app/thread/?assistant__id__exact={assistant}",
    "threads: assistant, last page": "migration_app/thread/?assistant__id__exact={assistant}&p=-1",
    "threads: batch": "migration_app/thread/?batch__id__exact={batch}",
    "threads: batch, last page": "migration_app/thread/?batch__id__exact={batch}&p=-1",
    "threads: batch and status": "migration_app/thread/?batch__id__exact={batch}&status__exact=verified",
    "threads: status and fidelity": "migration_app/thread/?status__exact=verified&fidelity__exact=lossy",
    "threads: status and fidelity, none": "migration_app/thread/?status__exact=verified&fidelity__exact=blocked",
    "threads: assistant and status": "migration_app/thread/?assistant__id__exact={assistant}&status__exact=verified",
    "threads: frequent finding": "migration_app/thread/?finding__exact=message_empty",
    "threads: rarer finding": "migration_app/thread/?finding__exact=image_on_assistant",
    "threads: finding that no thread has": "migration_app/thread/?finding__exact=message_order_uncertain",
    "threads: finding and status": "migration_app/thread/?finding__exact=image_on_assistant&status__exact=failed",
    "threads: search: thread id": "migration_app/thread/?q={thread_id}",
    "threads: search: conversation id": "migration_app/thread/?q={conversation_id}",
    "threads: search: user": "migration_app/thread/?q={user_ref}",
    "threads: search: nothing found": "migration_app/thread/?q=thread_none",
    "threads: search: end of an id": "migration_app/thread/?q={end}",
    "threads: search: beginning of all ids": "migration_app/thread/?q=thread_0",
    "threads: search: part of a user": "migration_app/thread/?q={user_part}",
    "threads: search: part of all users": "migration_app/thread/?q=USER-",
    "threads: sorted by id": "migration_app/thread/?o=show_id",
    "threads: sorted by status, last page": "migration_app/thread/?o=-show_status&p=-1",
    "threads: error code, sorted by size": "migration_app/thread/?error_code__exact=timeout&o=-show_sizes",
    "threads: what the filters offer": "migration_app/thread/list/filters/",
    "conversations: first page": "migration_app/conversation/",
    "conversations: last page": "migration_app/conversation/?p=-1",
    "conversations: verified": "migration_app/conversation/?state__exact=verified",
    "conversations: open, page 100": "migration_app/conversation/?state__exact=open&p=100",
    "conversations: verified, last page": "migration_app/conversation/?state__exact=verified&p=-1",
    "conversations: search: thread id": "migration_app/conversation/?q={thread_id}",
    "runs: first page": "migration_app/run/",
    "runs: page 100": "migration_app/run/?p=100",
    "runs: last page": "migration_app/run/?p=-1",
    "runs: completed, last page": "migration_app/run/?status__exact=completed&p=-1",
    "runs: failed": "migration_app/run/?status__exact=failed",
    "runs: error code": "migration_app/run/?error_code__exact=server_error",
    "runs: assistant": "migration_app/run/?assistant_id__exact=asst_7",
    "runs: assistant and status": "migration_app/run/?assistant_id__exact=asst_7&status__exact=failed",
    "runs: of a thread": "migration_app/run/?thread_id__exact={thread}",
    "runs: search: run id": "migration_app/run/?q={run_id}",
    "runs: what the filters offer": "migration_app/run/list/filters/",
    "runs: tokens by month": "migration_app/run/totals/",
    "runs: tokens by month, an assistant": "migration_app/run/totals/?assistant=asst_7",
    "review queue": "review/",
    "review queue: a reason": "review/?code=source_grown",
    "review queue: a reason, further on": "review/?code=source_grown&after={case}",
    "review queue: nobody's": "review/?who=nobody",
    "review queue: assistant": "review/?assistant=asst_7",
    "review queue: batch": "review/?batch={batch}",
    "one thread in review": "review/{case}/",
    "audit: first page": "migration_app/auditevent/",
    "audit: page 100": "migration_app/auditevent/?p=100",
    "audit: last page": "migration_app/auditevent/?p=-1",
    "audit: verb": "migration_app/auditevent/?verb__exact=thread.registered",
    "audit: verb, last page": "migration_app/auditevent/?verb__exact=thread.backfilled&p=-1",
    "audit: one day": "migration_app/auditevent/?at_from=2026-11-07&at_to=2026-11-07",
    "audit: verb on a day": "migration_app/auditevent/?verb__exact=thread.queued&at_from=2026-11-07&at_to=2026-11-07",
    "audit: batch": "migration_app/auditevent/?batch_pk__exact={batch}",
    "audit: verb in a batch": "migration_app/auditevent/?batch_pk__exact={batch}&verb__exact=thread.queued",
    "audit: search: thread id": "migration_app/auditevent/?q={thread_id}",
    "files and vector stores: first page": "migration_app/sourceobject/",
    "files and vector stores: kind": "migration_app/sourceobject/?kind__exact=file",
    "files and vector stores: conflicts": "migration_app/sourceobject/?state__exact=conflict",
    "files and vector stores: search": "migration_app/sourceobject/?q=object-77",
    "batches: first page": "migration_app/batch/",
    "batches: running": "migration_app/batch/?state__exact=running",
    "assistants: first page": "migration_app/assistant/",
    "one thread": "migration_app/thread/{thread}/change/",
    "one run": "migration_app/run/{run}/change/",
    "one conversation": "migration_app/conversation/{conversation}/change/",
    "largest batch: page": "migration_app/batch/{batch}/change/",
    "largest batch: all results": "migration_app/batch/{batch}/results/",
    "largest batch: failed": "migration_app/batch/{batch}/results/?result=failed",
    "largest batch: one error": "migration_app/batch/{batch}/results/?error_code=timeout",
    "running batch: page": "migration_app/batch/{newest}/change/",
}
# Confirm pages of actions, each over a selection.
CONFIRMED = (
    ("backfill", "status__exact=snapshotted"),
    ("verify", ""),
    ("retry", "status__exact=failed"),
    ("exclude", "fidelity__exact=lossy"),
    ("snapshot", ""),
    ("preflight", "assistant__id__exact={assistant}"),
    ("preflight", "finding__exact=message_empty"),
    ("preflight", "batch__id__exact={batch}&fidelity__exact=exact"),
    ("export", ""),
)
_ACT = "/admin/migration_app/thread/act"

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
        cursor.execute("SET session_replication_role = replica")  # no triggers: all is counted once, below
        for name in ("threads", "reviews", "conversations", "results", "runs", "audit", "objects"):
            cursor.execute(_SQL[name], {"threads": threads})
        cursor.execute("RESET session_replication_role")
        for _name, definition in indexes:
            cursor.execute(definition)
        for counter in COUNTERS:
            counter.rebuild()
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
    conversation = Conversation.objects.get(thread=middle)
    run = Run.objects.filter(thread=middle).order_by("pk")[0]
    named = {
        "case": ReviewCase.objects.filter(code="source_grown").order_by("-entered_at")[100].pk,
        "run": run.pk,
        "run_id": run.run_id,
        "assistant": Assistant.objects.order_by("pk")[7].pk,
        "batch": batch.pk,
        "newest": newest.pk,
        "thread": middle.pk,
        "thread_id": middle.thread_id,
        "user_ref": middle.user_ref,
        "end": middle.thread_id[-6:],
        "user_part": middle.user_ref[-4:],
        "conversation": conversation.pk,
        "conversation_id": conversation.conversation_id,
    }
    made = {name: _get(f"/admin/{path.format(**named)}") for name, path in PAGES.items()}
    for name, query in CONFIRMED:
        narrowed = " and ".join(part.split("__")[0] for part in query.split("&")) or "all"
        made[f"confirm {name}: {narrowed}"] = _get(f"{_ACT}/{name}/?{query.format(**named)}")
    made["all matching → backfill: confirm"] = _post(
        "/admin/migration_app/thread/",
        {"action": "backfill", "select_across": "1", "index": "0", "_selected_action": [str(middle.pk)]},
        follow=True,
    )
    made["preflight as CSV: all"] = _post(f"{_ACT}/preflight/", {})
    made["start a backfill of all"] = _undone(_post(f"{_ACT}/backfill/", {"reason": "bench"}))
    return made


def _get(path: str) -> Callable[[], Any]:
    return lambda: _client.get(path, secure=True)


def _post(path: str, data: dict[str, Any], *, follow: bool = False) -> Callable[[], Any]:
    return lambda: _client.post(path, data, secure=True, follow=follow)


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
