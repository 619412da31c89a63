"""Whether anybody will do the work: a page that starts or shows work says so when no worker is alive."""

from __future__ import annotations

import dataclasses

from migration_app.jobs import workers_alive

START_COMMAND = "manage.py rqworker urgent default"


@dataclasses.dataclass(frozen=True, slots=True)
class Workers:
    """How many workers are alive; None when the queue's server can't be asked."""

    alive: int | None
    command: str = START_COMMAND

    @property
    def missing(self) -> bool:
        """Whether work that is started now would lie waiting."""
        return not self.alive


def workers_state() -> Workers:
    """Ask the queue's server. A server that is down is said, not raised: the database still takes the work."""
    return Workers(alive=workers_alive())
