"""Every action that the audit trail records: its verb, its label in lists and filters, and its description.

A new action is one row here; writing a verb that is not registered fails. docs/audit.md has the whole list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from migration_app.models import Batch, Thread


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One kind of row in the trail. ``verb`` is stored and never changes; the texts may."""

    verb: str
    label: str
    message: str


SUBJECTS = frozenset(
    {"thread", "assistant", "file", "vector_store", "prompt", "run", "runs"}
    | {"batch", "import", "reconciliation", "trial", "preflight"}
    | {"mapping", "list", "counters", "target", "user", "group"}
)
"""What rows are about: with its id, an event's subject is found by it."""


class UnregisteredActionError(LookupError):
    """The verb, or what the row is about, is not in the table: a bug of the console."""


def action_of(verb: str) -> Action:
    """Find an action by its verb. Raises UnregisteredActionError."""
    try:
        return ACTIONS[verb]
    except KeyError:
        raise UnregisteredActionError(f"{verb} is no action of the audit trail (audit.actions).") from None


def subject_of(kind: str) -> str:
    """Return what a row is about. Raises UnregisteredActionError."""
    if kind not in SUBJECTS:
        raise UnregisteredActionError(f"{kind} is no subject of the audit trail (audit.actions).")
    return kind


def action_label(verb: str) -> str:
    """Its label in lists; the verb itself for rows of an older release whose verb is no longer registered."""
    return ACTIONS[verb].label if verb in ACTIONS else verb


def _batches() -> Iterator[Action]:
    for kind in Batch.Kind:
        yield Action(
            f"batch.{kind}_started",
            f"Batch started: {kind.label}",
            "A batch was started; the row says with what.",
        )
        yield Action(
            f"batch.{kind}_asked",
            f"Batch requested: {kind.label}",
            "A batch was requested; it waits for the approval of a second person.",
        )


def _failed_work() -> Iterator[Action]:
    for work in Thread.Work:
        yield Action(
            f"thread.{work}_failed",
            f"Thread: {work.label} failed",
            "The work failed and is not tried again; "
            + (
                "a thread that was rolling back needs review, others keep their status."
                if work is Thread.Work.ROLLBACK
                else "the thread keeps its status."
            ),
        )


def _conflicts() -> Iterator[Action]:
    for kind in ("assistant", "file", "vector_store"):
        yield Action(
            f"{kind}.conflict",
            f"{kind.replace('_', ' ').capitalize()}: conflict",
            "Other content arrived under a known id; the first one is used.",
        )


def _accounts() -> Iterator[Action]:
    for kind in ("user", "group"):
        name = kind.capitalize()
        yield Action(f"{kind}.created", f"{name} created", f"A {kind} was created.")
        yield Action(f"{kind}.changed", f"{name} changed", f"Fields of a {kind} were changed.")
        yield Action(f"{kind}.deleted", f"{name} deleted", f"A {kind} was deleted.")
        yield Action(
            f"{kind}.permissions_changed",
            f"{name} permissions changed",
            f"Permissions of a {kind} were changed.",
        )


_TABLE = (
    # --- threads
    ("thread.registered", "Thread registered", "The thread became known."),
    ("thread.snapshotted", "Thread snapshotted", "Its source is stored and assessed."),
    ("thread.blocked", "Thread blocked", "Findings forbid sending it under these policies."),
    ("thread.source_missing", "Source missing", "The source does not know the thread."),
    ("thread.source_grown", "Source has grown", "The source has more than was sent."),
    ("thread.source_deleted", "Deleted at the source", "The source deleted what was sent."),
    ("thread.conflict", "Thread: conflict", "Other content arrived under a known id; the first one is kept."),
    ("thread.queued", "Thread queued", "It waits for a worker."),
    ("thread.backfill_started", "Backfill started", "A worker began to send the thread."),
    ("thread.backfilled", "Thread backfilled", "Everything was sent; it is not verified yet."),
    ("thread.verified", "Thread verified", "The conversation was read back and is equal."),
    ("thread.resumed", "Thread resumed", "Another worker took over where the last one stopped."),
    ("thread.handed_back", "Thread handed back", "The worker gave it back; it waits for its batch."),
    ("thread.try_later", "Thread: retry later", "A call failed and is repeated later."),
    ("thread.failed", "Thread failed", "The work failed and is not tried again."),
    ("thread.needs_review", "Thread needs attention", "A person has to decide."),
    ("thread.accepted", "Thread accepted as is", "The conversation is kept with what others added to it."),
    ("thread.remigrated", "Thread re-migrated", "It is sent again, to a new conversation."),
    ("thread.rollback_started", "Roll back started", "A worker began to delete what was sent."),
    ("thread.rolled_back", "Thread rolled back", "What was sent was deleted at the target."),
    ("thread.excluded", "Thread excluded", "It is left out of the migration."),
    ("thread.included", "Thread included", "It is part of the migration again."),
    ("thread.work_taken_back", "Thread: work cancelled", "Its batch was cancelled."),
    (
        "thread.review_assigned",
        "Review assigned",
        "A person is to decide about the thread; the row says who.",
    ),
    ("thread.review_released", "Review released", "Nobody is assigned to decide about the thread any more."),
    ("thread.reading_asked", "Reading requested", "Its conversation is to be read again for the review."),
    ("thread.resources_checked", "Resources checked", "Its files and stores were checked."),
    ("thread.content_viewed", "Thread content viewed", "Somebody opened a page with messages."),
    ("thread.server_messages_viewed", "Server messages viewed", "Somebody opened servers' messages."),
    ("thread.server_messages_erased", "Server messages erased", "Servers' messages were erased."),
    # --- conversations
    ("conversation.created", "Conversation created", "The target made an empty conversation."),
    ("conversation.create_lost", "Create unconfirmed", "No answer came: an empty conversation may exist."),
    ("conversation.given_up", "Conversation given up", "In doubt: it is deleted later."),
    ("conversation.deleting", "Conversation being deleted", "Deleting its items began."),
    ("conversation.deleted", "Conversation deleted", "It was deleted at the target, as far as the row says."),
    ("conversation.left", "Conversation left behind", "It stays at the target, and no thread points to it."),
    ("item.refused", "Item refused", "The target refused one item."),
    ("orphan.closed", "Orphan closed", "An entry of the orphan ledger was closed."),
    ("orphan.reopened", "Orphan reopened", "An entry of the orphan ledger was opened again."),
    ("orphan.metadata_viewed", "Orphan metadata viewed", "Somebody opened the metadata."),
    ("target.probed", "Target probed", "How the target treats repeated ids was found out."),
    # --- batches
    ("batch.approval_needed", "Approval needed", "The batch deletes more than one person may: it waits."),
    ("batch.approved", "Batch approved", "A second person approved it."),
    ("batch.paused", "Batch paused", "Workers take no further thread of it."),
    ("batch.held", "Batch paused by the breaker", "Threads failed with the same error; the row says which."),
    ("batch.resumed", "Batch resumed", "Workers take its threads again."),
    ("batch.changed", "Batch changed", "Its priority or throttle was changed."),
    ("batch.cancelling", "Batch being cancelled", "Threads in flight finish their step first."),
    ("batch.cancelled", "Batch cancelled", "Nothing more is done for it."),
    ("batch.finished", "Batch finished", "No thread of it has work left."),
    ("batch.failed", "Batch failed", "It could not be prepared."),
    # --- imports and source objects
    ("import.created", "Import created", "A file was handed in."),
    ("import.finished", "Import finished", "The file was read to its end."),
    ("import.failed", "Import failed", "The row says why."),
    ("import.cancelled", "Import cancelled", "A person ended it."),
    ("import.restarted", "Import restarted", "A person had it read again."),
    ("import.rejects_viewed", "Rejects viewed", "Somebody opened rejected content."),
    ("import.rejects_exported", "Rejects exported", "The reject file was downloaded."),
    ("object.content_viewed", "Source object viewed", "Somebody opened the content of a source object."),
    # --- assistants and prompts
    ("assistant.registered", "Assistant registered", "The assistant became known."),
    ("assistant.snapshotted", "Assistant snapshotted", "Its source is stored."),
    ("assistant.queued", "Conversion queued", "It waits to be converted to a prompt."),
    ("assistant.convert_failed", "Conversion failed", "The assistant could not be converted."),
    ("assistant.check_asked", "Assistant check requested", "It is to be compared with the live source."),
    ("assistant.checked", "Assistant checked", "It was compared with the live source."),
    ("assistant.other_content_used", "Other content used", "It is in use now."),
    ("assistant.other_content_dismissed", "Other content dismissed", "It is set aside."),
    ("prompt.version_created", "Prompt version created", "A prompt has a new version."),
    ("prompt.unchanged", "Prompt unchanged", "Converting gave what the prompt says already."),
    ("prompt.submitted", "Prompt version submitted", "It waits for approval."),
    ("prompt.approved", "Prompt version approved", "It may be activated."),
    ("prompt.rejected", "Prompt version rejected", "It may not be activated."),
    ("prompt.activated", "Prompt version activated", "It is the version that exports have."),
    ("prompt.rolled_back", "Prompt rolled back", "An earlier version is active again."),
    ("prompt.exported", "Prompt exported", "A prompt was downloaded."),
    ("prompts.exported", "Prompts exported", "Prompts were written to files."),
    ("prompt.dashboard_id_noted", "Dashboard id noted", "The row says which."),
    # --- try-outs
    ("trial.started", "Try-out started", "The row says of what, and what it may spend."),
    ("trial.resumed", "Try-out resumed", "It continues, within the limits that the row names."),
    ("trial.stop_asked", "Try-out: stop requested", "It ends after the answers in flight."),
    ("trial.stopped", "Try-out stopped", "The row says what was spent."),
    ("trial.finished", "Try-out finished", "The row says what was spent."),
    ("trial.failed", "Try-out failed", "The row says why."),
    ("trial.turn_judged", "Answer judged", "A person judged one answer."),
    ("trial.revealed", "Try-out revealed", "Which side is which was shown."),
    ("trial.content_viewed", "Try-out content viewed", "Somebody opened its answers."),
    ("trial.exported", "Try-out exported", "Its answers were downloaded."),
    ("trial.cleaning_asked", "Try-out: cleaning requested", "What is left at the target is to be deleted."),
    # --- checks and figures
    ("readiness.asked_for", "Readiness check requested", "A check waits for a worker."),
    ("readiness.looked", "Readiness checked", "The row says what was found."),
    ("readiness.models_listed", "Target's models listed", "Which models the target has is known."),
    ("readiness.model_replaced", "Model replaced", "Prompts name another model."),
    ("readiness.functions_exported", "Functions exported", "The list of functions was downloaded."),
    ("reconciliation.started", "Reconciliation started", "The row says which checks."),
    ("reconciliation.resumed", "Reconciliation resumed", "It continues where it was."),
    ("reconciliation.stopped", "Reconciliation stopped", "A person stopped it."),
    ("reconciliation.finished", "Reconciliation finished", "The row says what differs."),
    ("reconciliation.failed", "Reconciliation failed", "The row says why."),
    ("reconciliation.review_asked", "Review requested", "Threads that differ are sent to review."),
    ("reconciliation.exported", "Reconciliation exported", "Its discrepancies were downloaded."),
    ("counters.rebuilt", "Counters rebuilt", "Threads and runs were counted again."),
    ("runs.collected", "Runs collected", "Rows of runs were written out of the snapshots."),
    ("run.totals_exported", "Run totals exported", "Totals of runs and tokens were downloaded."),
    ("mapping.exported", "Mapping exported", "The mapping was downloaded."),
    (
        "list.exported",
        "List exported",
        "The rows of a list were downloaded; the row says how it was filtered.",
    ),
    ("preflight.exported", "Preflight exported", "A preflight was downloaded."),
    # --- who signs in
    ("user.signed_in", "Signed in", "Somebody signed in."),
    ("user.signed_out", "Signed out", "Somebody signed out."),
    ("user.sign_in_failed", "Sign-in failed", "A password was wrong, or the name unknown."),
    ("user.locked_out", "Locked out", "Too many sign-ins failed."),
    ("user.password_changed", "Password changed", "A password was changed."),
    ("user.groups_changed", "User's groups changed", "A user's groups were changed."),
)


def _registered(*parts: Iterable[Action]) -> Mapping[str, Action]:
    actions: dict[str, Action] = {}
    for action in (action for part in parts for action in part):
        if action.verb in actions:
            raise ValueError(f"{action.verb} is registered twice.")
        actions[action.verb] = action
    return actions


ACTIONS = _registered((Action(*row) for row in _TABLE), _batches(), _failed_work(), _conflicts(), _accounts())
