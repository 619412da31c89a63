"""The console's pages: lists, confirm pages, thread review, dashboard. Nothing imports this but Django.

A web request here never calls an API: it writes down what was asked for and enqueues a job.
"""

# ruff: noqa: F401 - a page registers itself when it is imported
# By their full names: ``from … import trials`` would put the module in the place of the package of that name.
import migration_app.admin.accounts.audit
import migration_app.admin.accounts.users
import migration_app.admin.batches.batches
import migration_app.admin.imports.imports
import migration_app.admin.operation.queues
import migration_app.admin.prompts.assistants
import migration_app.admin.prompts.prompts
import migration_app.admin.readiness.readiness
import migration_app.admin.reconciliation.reconciliations
import migration_app.admin.threads.conversations
import migration_app.admin.threads.objects
import migration_app.admin.threads.orphans
import migration_app.admin.threads.run_list
import migration_app.admin.threads.threads
import migration_app.admin.trials.trials
