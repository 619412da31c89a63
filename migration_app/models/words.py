"""What servers said in their own words, apart from all that may be read by everybody and kept for ever."""

from __future__ import annotations

from django.db import models

from migration_app.models.thread import Thread


class ServerWords(models.Model):
    """What the target, or the live source, said when it refused a call for a thread: the last words of each kind.

    A refusal may quote the message that it refuses, so the words are content: shown with ``view_content`` only, in
    no list and no export, never in the audit trail, and gone for good when somebody erases them
    (``threads.server_words``). ``item`` is the number of the refused item, 0 where the words are not about one.
    """

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="server_words", db_index=False)
    code = models.CharField(max_length=64, db_collation="C")
    item = models.PositiveIntegerField(default=0)
    status = models.PositiveSmallIntegerField("HTTP status", default=0)
    request_id = models.CharField(max_length=128, blank=True)
    words = models.TextField()
    said_at = models.DateTimeField()

    class Meta:
        ordering = ["thread_id", "-said_at", "item"]
        constraints = [
            models.UniqueConstraint(fields=["thread", "code", "item"], name="serverwords_last_of_a_kind")
        ]
        default_permissions = ()
        permissions = [("erase_server_words", "Can erase what servers said of threads")]

    def __str__(self) -> str:
        return f"{self.code} of thread {self.thread_id}"
