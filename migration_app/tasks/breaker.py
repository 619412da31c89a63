"""The circuit breaker: threads that fail alike, one after the other, say something about the world around them.

A wrong key, an exhausted quota or a target that is down must not burn through the estate thread by thread.
Knows neither the database nor the network. Must not import jobs or rq.
"""

from __future__ import annotations

from migration_app.gateways.errors import GatewayError

LASTING = frozenset(
    {"unauthorized", "forbidden", "quota_exhausted", "not_configured", "redirected", "create_unknown"}
)
"""Refusals that speak of key, account or set-up: another thread would meet them too."""

PASSING = frozenset(
    {"unreachable", "server_error", "timeout", "connection_lost", "unreadable_answer", "answer_too_large"}
)
"""What a target that is down or overloaded answers; it may be over in a second."""

UNSETTLING = frozenset({"starting_over"})
"""What says that answers are lost again and again: each further try leaves a conversation to be deleted."""

PATIENCE_SECONDS = 60.0

_ADVICE = {
    "unauthorized": "Check the API key where the workers run, restart them, then resume.",
    "forbidden": "Check what the key may do in its project, then resume.",
    "quota_exhausted": "Raise the account's quota, then resume.",
    "redirected": "Set the base URL to where the API itself is, restart the workers, then resume.",
    "create_unknown": "Check the base URL, and whether the target has conversations at all, then resume.",
    "starting_over": "See to the network and to the time-outs on the way to the target, then resume.",
    "not_configured": "Set the missing variables where the workers run, restart them, then resume.",
}


class Breaker:
    """Counts different threads that failed with one code, since the last call that went well.

    ``limit`` of them with a lasting code trip it. With a passing code the worker first probes, one thread at a
    time, and only what lasts ``PATIENCE_SECONDS`` trips it. ``now`` is any clock that does not jump.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._code = ""
        self._text = ""
        self._threads: set[int] = set()
        self._since = 0.0

    def succeeded(self) -> None:
        """A thread got what it wanted: the world is as it should be."""
        self._code = ""
        self._threads.clear()

    def failed(self, thread_pk: int, error: GatewayError, *, now: float) -> None:
        """Count a thread's failure; one that speaks of the thread itself is none of ours."""
        if error.code not in LASTING | PASSING | UNSETTLING:
            return
        if error.code != self._code:
            self._code, self._since = error.code, now
            self._threads.clear()
        self._text = error.text
        self._threads.add(thread_pk)

    @property
    def probing(self) -> bool:
        """Whether to send one thread at a time, to see if the target is back."""
        return len(self._threads) >= self._limit

    def tripped(self, *, now: float) -> str:
        """Why the batch must stop, for the operator; empty if it need not."""
        if not self.probing or (self._code in PASSING and now - self._since < PATIENCE_SECONDS):
            return ""
        advice = _ADVICE.get(self._code, "Check that the target is healthy again, then resume.")
        lasted = f" for {now - self._since:.0f} s" if self._code in PASSING else ""
        failed = f"{len(self._threads)} threads in a row failed with the same error{lasted}"
        return f"{failed} ({self._code}): {self._text} {advice}"
