"""The console's pages: lists, confirm pages, thread review, dashboard. Nothing imports this but Django.

A web request here never calls an API: it writes down what was asked for and enqueues a job.
"""

from migration_app.admin.accounts import audit, users
from migration_app.admin.batches import batches
from migration_app.admin.imports import imports
from migration_app.admin.operation import queues
from migration_app.admin.prompts import assistants, prompts
from migration_app.admin.readiness import readiness
from migration_app.admin.reconciliation import reconciliations
from migration_app.admin.threads import (
    conversations,
    objects,
    orphans,
    run_list,
    threads,
)
from migration_app.admin.trials import trials

__all__ = [
    "assistants",
    "audit",
    "batches",
    "conversations",
    "imports",
    "objects",
    "orphans",
    "prompts",
    "queues",
    "readiness",
    "reconciliations",
    "run_list",
    "threads",
    "trials",
    "users",
]
