"""Server messages, apart from everything that all users may read."""

from __future__ import annotations

from django.db import models

from migration_app.models.thread import Thread


class ServerMessage(models.Model):
    """The message of the target, or the live source, that refused a call for a thread: the last one of each kind.

    A refusal may quote the message that it refuses, so it is content: shown with ``view_content`` only, in
    no list and no export, never in the audit trail, and erased for good on request
    (``threads.server_messages``). ``item`` is the number of the refused item, 0 if it is not about one.
    """

    thread = models.ForeignKey(
        Thread, on_delete=models.PROTECT, related_name="server_messages", db_index=False
    )
    code = models.CharField(max_length=64, db_collation="C")
    item = models.PositiveIntegerField(default=0)
    status = models.PositiveSmallIntegerField("HTTP status", default=0)
    request_id = models.CharField(max_length=128, blank=True)
    text = models.TextField()
    said_at = models.DateTimeField()

    class Meta:
        ordering = ["thread_id", "-said_at", "item"]
        constraints = [
            models.UniqueConstraint(fields=["thread", "code", "item"], name="servermessage_last_of_a_kind")
        ]
        default_permissions = ()
        permissions = [("erase_server_messages", "Can erase server messages of threads")]

    def __str__(self) -> str:
        return f"{self.code} of thread {self.thread_id}"
