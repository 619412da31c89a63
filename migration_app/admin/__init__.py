"""The console's pages: lists, confirm pages, thread review, dashboard. Nothing imports this but Django.

A web request here never calls an API: it writes down what was asked for and enqueues a job.
"""

from migration_app.admin import (
    assistants,
    audit,
    batches,
    conversations,
    imports,
    objects,
    orphans,
    prompts,
    queues,
    readiness,
    reconciliations,
    run_list,
    threads,
    trials,
    users,
)

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
