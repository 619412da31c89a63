"""What a failed call means for its caller: whether it acted, and whether to retry.

Must not import Django, models or services.
"""

from __future__ import annotations

import email.utils
import enum
import json
import re
import time
from collections.abc import Iterator, Mapping

import aiohttp

from migration_app.gateways.error_codes import KNOWN_CODES

_TEXT_KEPT = 300
_BYTES_LOOKED_AT = 4_096
# As servers make them: hexadecimal or a UUID, maybe with a short name before it or a place behind it; or "req_…".
# Anything else may quote what was sent, and would stay in a trail that can't be erased.
_REQUEST_ID = re.compile(r"(?:[a-z]{2,10}[_-])?[0-9A-Fa-f-]{1,64}(?:-[A-Z]{3})?|req_[0-9A-Za-z]{1,40}")

_NEVER_LEFT = (
    aiohttp.ClientConnectorError,  # name, address, TLS handshake, or the way to a proxy
    aiohttp.ClientHttpProxyError,  # the proxy refused to connect further
    aiohttp.ConnectionTimeoutError,  # waiting for a free connection, or for a new one
    aiohttp.InvalidURL,
)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"})
"""The vendor's codes for an exhausted quota, with 429, 403 or 400."""
_REFUSED = {
    401: ("unauthorized", "The server refused the API key (401). Check the key."),
    403: ("forbidden", "The key may not do this (403). Check project and permissions."),
    404: ("not_found", "The server does not know this object (404)."),
    407: ("forbidden", "The proxy before the server requires a sign-in (407). Check the network."),
    410: ("not_found", "The server does not know this object (410)."),
    511: ("forbidden", "The network before the server requires a sign-in (511). Check the network."),
}


class Outcome(enum.StrEnum):
    """What a failed call may have done on the server."""

    NOTHING = "nothing"  # refused, or it never got there
    UNKNOWN = "unknown"  # the answer was lost or unreadable: it may have acted


class GatewayError(Exception):
    """A call that failed.

    ``code`` is a stable name for filters; ``permanent`` says that the same call would fail again;
    ``retry_after`` is in seconds; ``status`` is the HTTP status, 0 without an answer. ``text`` is the console's
    own and may be kept and logged anywhere. ``said`` holds the server's own words, 300 characters at most: they
    may quote a message, so they are content, kept in ``ServerMessage`` and nowhere else.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        outcome: Outcome,
        permanent: bool,
        retry_after: float | None = None,
        request_id: str = "",
        status: int = 0,
        said: str = "",
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.outcome = outcome
        self.permanent = permanent
        self.retry_after = retry_after
        self.request_id = request_id
        self.status = status
        self.said = said

    def told_as(self, code: str, *, outcome: Outcome) -> GatewayError:
        """Make the same failure under another name, to be retried."""
        return GatewayError(
            code,
            self.text,
            outcome=outcome,
            permanent=False,
            request_id=self.request_id,
            status=self.status,
            said=self.said,
        )


class NotConfiguredError(GatewayError):
    """The environment lacks the API's address or key."""

    def __init__(self, text: str) -> None:
        super().__init__("not_configured", text, outcome=Outcome.NOTHING, permanent=True)


class StoppedError(GatewayError):
    """The call waited for its turn under a limit when the worker's turn ended. It was never made."""

    def __init__(self) -> None:
        super().__init__(
            "stopped",
            "The worker's turn ended before this call was made.",
            outcome=Outcome.NOTHING,
            permanent=False,
        )


class LeaseUncertainError(GatewayError):
    """The call was about to be sent when it was no longer certain that the thread is this worker's. It was not sent."""

    def __init__(self) -> None:
        super().__init__(
            "lease_uncertain",
            "The worker's lease was no longer certain, so this call was not made.",
            outcome=Outcome.NOTHING,
            permanent=False,
        )


def unreadable_answer(what: str, request_id: str) -> GatewayError:
    """Make the error for a 2xx answer that is not what the description promises: the server may have acted."""
    return GatewayError(
        "unreadable_answer",
        f"The server's answer could not be read ({what}).",
        outcome=Outcome.UNKNOWN,
        permanent=False,
        request_id=request_id,
    )


def answer_too_large(max_bytes: int, request_id: str) -> GatewayError:
    """Make the error for an answer of more bytes than are read: the server may have acted."""
    return GatewayError(
        "answer_too_large",
        f"The server's answer has more than {max_bytes:,} bytes, uncompressed (ANSWER_MAX_MB).",
        outcome=Outcome.UNKNOWN,
        permanent=False,
        request_id=request_id,
    )


def from_transport(cause: BaseException | None) -> GatewayError:
    """Classify a broken connection. Only a request that never left certainly did nothing."""
    chain = tuple(_causes(cause))
    if any(isinstance(error, _NEVER_LEFT) for error in chain):
        return GatewayError(
            "unreachable",
            "The server could not be reached. Check the base URL and the network.",
            outcome=Outcome.NOTHING,
            permanent=False,
        )
    if any(isinstance(error, TimeoutError) for error in chain):
        return too_slow()
    return GatewayError(
        "connection_lost",
        "The connection broke before the answer was complete.",
        outcome=Outcome.UNKNOWN,
        permanent=False,
    )


def too_slow() -> GatewayError:
    """Make the error for an answer that did not come in time: the server may have acted."""
    return GatewayError(
        "timeout", "The server did not answer in time.", outcome=Outcome.UNKNOWN, permanent=False
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """Classify an answer without success. Sources: FACTS of the two APIs, RFC 9110 for the rest."""
    error = _error_object(body)
    summary, api_code = _server_message(error), _api_code(error)
    request_id = request_id_of(headers)

    def made(code: str, text: str, *, permanent: bool, outcome: Outcome = Outcome.NOTHING) -> GatewayError:
        return GatewayError(
            code,
            text,
            outcome=outcome,
            permanent=permanent,
            retry_after=retry_after_seconds(headers),
            request_id=request_id,
            status=status,
            said=summary,
        )

    if api_code in _QUOTA_CODES or status == 402:
        text = f"The account's quota is used up ({status}). Raise it, then retry."
        return made("quota_exhausted", text, permanent=True)
    if status in _REFUSED:
        return made(*_REFUSED[status], permanent=True)
    if status == 429:
        return made("rate_limited", "The server's rate limit was reached (429).", permanent=False)
    if api_code == "conversation_locked":
        # A 400 that passes: another process works on the conversation (users' reports).
        return made("conversation_locked", "The conversation is locked by another process.", permanent=False)
    if status == 409:
        return made("conflict", "The server reports a conflict (409).", permanent=False)
    if status == 408 or status >= 500:
        return made(
            "server_error", f"The server failed ({status}).", permanent=False, outcome=Outcome.UNKNOWN
        )
    if 300 <= status < 400:
        return made("redirected", f"The server redirected ({status}). Check the base URL.", permanent=True)
    return made(api_code or "refused", f"The server refused the request ({status}).", permanent=True)


def _error_object(body: bytes) -> object:
    """What the body says of the error: the object under ``error`` where there is one, else all of it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body[:_BYTES_LOOKED_AT].decode(errors="replace")
    return value.get("error", value) if isinstance(value, dict) else value


def _api_code(error: object) -> str:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code in KNOWN_CODES else ""


def _server_message(body: object) -> str:
    # Several compatible servers use "detail" instead.
    text = (body.get("message") or body.get("detail")) if isinstance(body, dict) else body
    text = text if isinstance(text, str) else ""
    code = body.get("code") if isinstance(body, dict) else None
    if isinstance(code, str) and code and code not in KNOWN_CODES:
        text = f"({code[:64]}) {text}"
    text = " ".join(text.replace("\x00", "").split())
    return text if len(text) <= _TEXT_KEPT else f"{text[:_TEXT_KEPT]}…"


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return the server's id of the request; empty if its value is no id."""
    found = headers.get("x-request-id", "")
    return found if _REQUEST_ID.fullmatch(found) else ""


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``Retry-After`` (seconds or an HTTP date, RFC 9110 10.2.3)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name, "")
        try:
            seconds = float(text) / unit
        except ValueError:
            continue
        if 0 <= seconds < 86_400:
            return seconds
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    if date is None:
        return None
    return min(max(0.0, email.utils.mktime_tz(date) - time.time()), 86_400.0)
