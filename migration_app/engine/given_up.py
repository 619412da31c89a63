"""Deleting conversations that were given up in doubt: items first, then the conversation, until reading finds it gone.

By then its grace period is over. What arrives there even later meets a conversation that the target no longer
knows. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Callable

from migration_app.contracts import Actor
from migration_app.gateways.deletion import conversation_purge
from migration_app.gateways.errors import GatewayError
from migration_app.tasks.connections import Connections
from migration_app.threads.given_up import given_up_claim, given_up_gone, given_up_later


def given_up_work(*, actor: Actor, apis: Connections, stop: Callable[[], bool]) -> None:
    """Delete those that are due, one after the other, until none is left or ``stop``."""
    with apis.target_opened() as (loop, connection):
        while not stop() and (former := given_up_claim()) is not None:
            try:
                left_behind = loop.run(
                    conversation_purge(
                        connection, conversation_id=former.conversation_id, recorded=former.item_ids
                    )
                )
            except GatewayError as error:
                given_up_later(former, code=error.code)
                if not error.permanent:
                    return  # the target is not well: the others would meet the same
            else:
                given_up_gone(former, left_behind=left_behind, actor=actor)
