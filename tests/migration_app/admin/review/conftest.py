"""The queue's fixtures, for its pages, and threads whose conversations were read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from django.utils import timezone

from migration_app.engine.reading import Reading
from migration_app.models import Chunk, ReviewCase, ReviewReading, Thread
from tests.migration_app.admin.conftest import MakeThread
from tests.migration_app.admin.estate import conversation_made
from tests.migration_app.review.conftest import in_review, reviewer

__all__ = ["in_review", "reviewer"]


def page_url(thread: Thread | ReviewCase, query: str = "") -> str:
    return reverse("review_case", args=[thread.pk]) + query


@pytest.fixture
def differing(make_thread: MakeThread) -> Callable[..., Thread]:
    """Make a thread in review whose conversation was read: these texts are at the target."""

    def make(
        *texts: str, planned: tuple[str, ...] = ("one", "two", "three"), code: str = "difference"
    ) -> Thread:
        thread = make_thread(*planned, status="needs_review", error_code=code)
        conversation = conversation_made(thread=thread, state="complete", item_count=len(planned))
        Chunk.objects.bulk_create(
            Chunk(
                conversation=conversation,
                sequence=place // 20,
                first_item=place,
                item_count=min(20, len(planned) - place),
                digest="",
                source_ids=[],
                item_ids=[],
                state="appended",
            )
            for place in range(0, len(planned), 20)
        )
        reading = Reading(conversation.conversation_id)
        roles = {0: ("user", "input_text"), 1: ("assistant", "output_text")}
        reading.see(
            [
                {
                    "type": "message",
                    "id": f"msg_t{place}",
                    "role": roles[place % 2][0],
                    "content": [{"type": roles[place % 2][1], "text": text}],
                }
                for place, text in enumerate(texts)
            ]
        )
        ReviewReading.objects.create(
            thread=thread,
            state="finished",
            created_by_name="worker",
            read_at=timezone.now(),
            **reading.packed(),
        )
        return thread

    return make
