"""Try-outs: real user turns, asked again of one prompt version or two, and what people thought of the answers.

What was asked and answered is content: it is compressed in ``content`` columns and needs ``view_content``
to be seen. Everything else here holds none.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from migration_app.models.fields import opaque_id
from migration_app.models.prompt import PromptVersion
from migration_app.models.task import Task
from migration_app.models.thread import Thread


class Trial(Task):
    """What an operator started: versions, turns and a budget.

    Lifecycle: *queued* until a worker takes it; *running*; *stopping* when a person has stopped it and a worker is to
    delete what it made at the target; *stopped* with the reason (a person, the budget, repeated failures), from where
    it can be resumed; *finished*; *failed* by a bug of the console.
    """

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        STOPPING = "stopping", "stopping"
        STOPPED = "stopped", "stopped"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    version_a = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="trials_as_a")
    # With a second version it is an A/B comparison, else the new answers are compared with the old ones.
    version_b = models.ForeignKey(
        PromptVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="trials_as_b"
    )
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    reason = models.TextField()

    max_calls = models.PositiveIntegerField("creates, appends and responses at most")
    max_tokens = models.PositiveBigIntegerField("tokens at most")
    max_rounds = models.PositiveSmallIntegerField("responses a turn at most", default=5)
    max_output_tokens = models.PositiveIntegerField("output tokens a response at most", default=4_000)
    # What the operator was shown before confirming.
    estimated = models.JSONField(default=dict, blank=True)

    calls = models.PositiveIntegerField("creates, appends and responses made", default=0)
    cleaning_calls = models.PositiveIntegerField("reads and deletes made", default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    # Of responses whose answer was lost: counted as spent, at the most they can have used.
    tokens_unknown = models.PositiveBigIntegerField(default=0)

    revealed_at = models.DateTimeField(null=True, blank=True)
    revealed_by_name = models.CharField(max_length=255, blank=True)
    # Turns that could be judged and were not, because somebody ended the judging: the result is marked with it.
    unjudged_at_reveal = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]
        verbose_name = "try-out"

    def __str__(self) -> str:
        return f"try-out {self.pk}"

    @property
    def is_ab(self) -> bool:
        """Whether two versions are compared."""
        return self.version_b_id is not None

    @property
    def is_blind(self) -> bool:
        """Whether it must still be hidden which version gave which answer."""
        return self.is_ab and self.revealed_at is None

    @property
    def tokens(self) -> int:
        """What counts against the budget."""
        return self.tokens_in + self.tokens_out + self.tokens_unknown

    def version_of(self, slot: str) -> PromptVersion:
        """The version that answers in a slot, ``a`` or ``b``."""
        if slot == "b" and self.version_b is not None:
            return self.version_b
        return self.version_a


class TrialTurn(models.Model):
    """One user turn of one thread, and the judgement of a person about its answers.

    ``content``: zlib of JSON with ``asked`` (texts of the user), ``answer`` and ``calls`` of the original run.
    """

    class Verdict(models.TextChoices):
        """Of a try-out: how the new answer compares with the old one. Of an A/B comparison: whose is better."""

        BETTER = "better", "better"
        SAME = "same", "same"
        WORSE = "worse", "worse"
        A = "a", "A is better"
        B = "b", "B is better"

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="turns")
    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="trial_turns")
    position = models.PositiveIntegerField("place in the try-out, from 0")
    number = models.PositiveIntegerField("user turn of the thread, from 1")
    message_id = opaque_id("id of its first message")
    content = models.BinaryField(null=True)
    old_tokens_in = models.PositiveBigIntegerField(null=True)
    old_tokens_out = models.PositiveBigIntegerField(null=True)
    old_seconds = models.FloatField(null=True)
    verdict = models.CharField(max_length=8, choices=Verdict, blank=True)
    # May quote content, so it is shown by view_content only.
    comment = models.TextField(blank=True)
    judged_by_name = models.CharField(max_length=255, blank=True)
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["trial_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "position"], name="trialturn_position_unique")
        ]

    def __str__(self) -> str:
        return f"turn {self.position + 1} of try-out {self.trial_id}"


class TrialResult(models.Model):
    """What one version answered to one turn.

    *asking* is written before a response is requested; found after a worker died, it means that the answer was
    lost: it becomes *unknown*, is counted as spent and never asked again by itself.
    ``content``: zlib of JSON with ``answer``, ``calls`` (name, arguments, output or null) and ``error``.
    """

    class State(models.TextChoices):
        """How it ended."""

        PENDING = "pending", "not asked yet"
        ASKING = "asking", "being asked"
        DONE = "done", "answered"
        NEEDS_TOOL = "needs_tool", "needs a tool result"
        LOOP_LIMIT = "loop_limit", "stopped at the limit of responses"
        FAILED = "failed", "failed"
        UNKNOWN = "unknown", "answer lost"

    turn = models.ForeignKey(TrialTurn, on_delete=models.CASCADE, related_name="results")
    slot = models.CharField(max_length=1, choices=[("a", "a"), ("b", "b")])
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    # The response's own word: completed, incomplete, failed.
    status = models.CharField(max_length=32, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    rounds = models.PositiveSmallIntegerField("responses asked for", default=0)
    asking_tokens = models.PositiveBigIntegerField("tokens that the response at hand may use", default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)
    content = models.BinaryField(null=True)

    class Meta:
        ordering = ["turn_id", "slot"]
        constraints = [models.UniqueConstraint(fields=["turn", "slot"], name="trialresult_slot_unique")]

    def __str__(self) -> str:
        return f"result {self.slot} of {self.turn}"


class TrialScratch(models.Model):
    """A conversation made for a try-out, never a migrated one. Its row is written before it is created.

    *creating* → *open* ⇄ *sending* (history is being appended) → *asking* → *open* …, → *deleting* → *deleted*.
    *lost*: the answer of its create never came, so its id is unknown. *left_behind*: it could not be deleted, the
    field ``left_behind`` says what is left. Whatever is not *deleted* is listed on the try-out's page.
    """

    class State(models.TextChoices):
        """What is known of it."""

        CREATING = "creating", "being created"
        OPEN = "open", "in use"
        SENDING = "sending", "history is being appended"
        ASKING = "asking", "a response is being asked for"
        DELETING = "deleting", "being deleted"
        DELETED = "deleted", "deleted"
        LOST = "lost", "create not answered"
        LEFT_BEHIND = "left_behind", "could not be deleted"

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="scratches")
    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="+")
    slot = models.CharField(max_length=1)
    state = models.CharField(max_length=16, choices=State, default=State.CREATING)
    conversation_id = models.CharField(max_length=255, blank=True, db_collation="C")
    # The history in it: how many items of the plan, the last one's id, and the digest of their bodies.
    item_count = models.PositiveIntegerField(default=0)
    last_item_id = models.CharField(max_length=255, blank=True)
    history_sha256 = models.CharField(max_length=64, blank=True, db_collation="C")
    response_ids = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    left_behind = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.conversation_id or "a conversation without a known id"
