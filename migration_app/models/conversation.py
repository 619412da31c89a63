"""Conversations of the target, the chunks sent to them, and unconfirmed creates."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from migration_app.contracts import POLICIES_VERSION
from migration_app.models.fields import opaque_id
from migration_app.models.thread import Thread


class Conversation(models.Model):
    """What a thread became. One row a thread, written before the create is sent.

    Lifecycle: *creating* (intent; no id) → *open* (id held, chunks go in) → *complete* (every chunk
    appended) → *verified* (read back and compared). A row found in *creating* by a later worker is a create
    whose answer was lost: its doubt goes to the orphan ledger and the row asks for a new id. From *deleting*
    on, written before the first delete of a roll back, it is incomplete, and nothing is sent to it any more.

    ``mapped_at``: when it was verified for the first time. From then on the mapping shows its id, so an application
    may have it, and it is never given up automatically.
    """

    class State(models.TextChoices):
        """How far the conversation is."""

        CREATING = "creating", "creating"
        OPEN = "open", "open"
        COMPLETE = "complete", "complete"
        VERIFIED = "verified", "verified"
        DELETING = "deleting", "being deleted"

    thread = models.OneToOneField(Thread, on_delete=models.PROTECT, related_name="conversation")
    conversation_id = opaque_id("conversation id", blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.CREATING)
    item_count = models.PositiveIntegerField(default=0)
    fingerprint = models.CharField(max_length=64, blank=True, db_collation="C")
    # Fixed with the first chunk, so that a resumed or verified thread has the plan that was sent.
    policies = models.JSONField(default=dict, blank=True)
    policies_version = models.PositiveSmallIntegerField(default=POLICIES_VERSION)
    # Items that the target refused: [{"position", "level"}], see conversion.fallbacks.
    replacements = models.JSONField(default=list, blank=True)
    # The application continued after this many of our items: nothing more is sent, and verification ends there.
    continued_after = models.PositiveIntegerField(null=True, blank=True)
    # What the target did not show when it was last read back, so that it is not compared: "metadata item_ids".
    not_shown = models.CharField(max_length=64, blank=True, default="", db_default="")
    create_request_id = models.CharField(max_length=128, blank=True)
    intended_at = models.DateTimeField()
    created_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    mapped_at = models.DateTimeField("first in the mapping", null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation_id"], condition=~Q(conversation_id=""), name="conversation_id_unique"
            ),
            models.CheckConstraint(
                condition=Q(state="creating", conversation_id="")
                | (~Q(state="creating") & ~Q(conversation_id="")),
                name="conversation_id_unless_creating",
            ),
            models.CheckConstraint(
                condition=~Q(state="verified") | Q(verified_at__isnull=False),
                name="conversation_verified_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="verified") | Q(mapped_at__isnull=False),
                name="conversation_verified_is_mapped",
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="conversation_state")]

    def __str__(self) -> str:
        return self.conversation_id or f"(being created for {self.thread})"


class Chunk(models.Model):
    """One append of at most 20 items.

    Lifecycle: *sending* is written before the call, *appended* with the item ids after it. A chunk found in
    *sending* by a later worker is a doubt: the conversation is read, and a chunk that is not there may still be on its
    way (``engine.steps.doubts``). The row of a refused append (which adds nothing) is taken away. A roll back writes
    *deleting*, with the item ids as just read, before it deletes the first of them; the row goes when the last one is
    deleted.
    """

    class State(models.TextChoices):
        """Whether the items are there."""

        SENDING = "sending", "sending"
        APPENDED = "appended", "appended"
        DELETING = "deleting", "being deleted"

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="chunks", db_index=False
    )
    sequence = models.PositiveIntegerField()
    first_item = models.PositiveIntegerField()
    item_count = models.PositiveSmallIntegerField()
    # sha256 over the canonical forms of its items: a resumed job compares its plan with this.
    digest = models.CharField(max_length=64, db_collation="C")
    source_ids = ArrayField(models.TextField())
    item_ids = ArrayField(models.TextField(), default=list, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.SENDING)
    request_id = models.CharField(max_length=128, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    appended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["conversation_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["conversation", "sequence"], name="chunk_sequence_unique"),
            models.CheckConstraint(condition=Q(item_count__gte=1, item_count__lte=20), name="chunk_size"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.sequence + 1} of {self.conversation}"


class OrphanConversation(models.Model):
    """An unconfirmed create: an empty conversation may exist that nobody can find.

    There is no list of conversations and no idempotency key, so the ledger keeps what is known: when the
    create was sent, for which thread, and with which metadata it could be recognised. A person closes an
    entry with a note: the conversation was found and deleted, or is left where it is.
    """

    class State(models.TextChoices):
        """Whether a person has closed it."""

        OPEN = "open", "open"
        DELETED = "deleted", "found and deleted"
        ACCEPTED = "accepted", "accepted"

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="orphans")
    intended_at = models.DateTimeField()
    noticed_at = models.DateTimeField(auto_now_add=True)
    reason = models.TextField()
    metadata_keys = ArrayField(models.TextField(), default=list, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN, db_default=State.OPEN)
    note = models.TextField(blank=True, default="", db_default="")
    closed_by_name = models.CharField("closed by", max_length=255, blank=True, default="", db_default="")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "id"], name="orphan_state")]
        permissions = [("close_orphan", "Can close entries of the orphan ledger")]

    def __str__(self) -> str:
        return f"unconfirmed create for {self.thread}"


class FormerConversation(models.Model):
    """A conversation that a thread no longer points to: rolled back, left where it is, or given up in doubt.

    Kept so that nobody has to search the audit trail for an id. ``left_behind`` says what the target still returned
    after it was deleted; empty when reading confirmed that all is gone.

    One *given up* held an append whose answer was lost, and was never in the mapping. What was sent to it may still
    arrive there, so the thread got a new one, and this one is emptied and deleted from ``delete_after`` on, until it
    is gone (``deleted_at``). A worker that deletes it moves ``delete_after`` first: that is the claim. ``item_ids``:
    the target's ids of the items.
    """

    class Outcome(models.TextChoices):
        """Result."""

        ROLLED_BACK = "rolled_back", "rolled back"
        LEFT = "left", "left at the target"
        GIVEN_UP = "given_up", "given up in doubt"

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="former_conversations")
    conversation_id = opaque_id("conversation id")
    outcome = models.CharField(max_length=16, choices=Outcome)
    item_count = models.PositiveIntegerField(default=0)
    left_behind = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=255)
    created_at = models.DateTimeField("created at the target", null=True, blank=True)
    detached_at = models.DateTimeField(auto_now_add=True)
    item_ids = ArrayField(models.TextField(), default=list, db_default=models.Value("{}"), blank=True)
    delete_after = models.DateTimeField("to be deleted after", null=True, blank=True)
    delete_tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    deleted_at = models.DateTimeField("found gone", null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["conversation_id"], name="former_conversation_id"),
            models.Index(
                fields=["delete_after"], condition=Q(delete_after__isnull=False), name="former_to_delete"
            ),
            models.Index(
                fields=["id"],
                condition=Q(outcome="given_up", delete_after__isnull=True, deleted_at__isnull=True),
                name="former_stays",
            ),
        ]

    def __str__(self) -> str:
        return self.conversation_id
