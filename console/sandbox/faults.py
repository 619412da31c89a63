"""Faults that can be switched on: which request they hit, and what the client then sees. Sends nothing itself.

SPEC, for the command line: rules separated by `;`, each `kind:match:option=value:…`, for instance

    reset_after:POST /conversations$:times=2;rate_limit:POST .*/items:every=5:retry_after=1

`match` is a regular expression searched in "METHOD /path" (without /v1 and without the query; empty hits all).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from console.sandbox.errors import ApiError
from console.sandbox.wire import Answer, answer_of, refusal_of


class Kind(StrEnum):
    """What goes wrong. "acted" means that the request had its effect nevertheless."""

    LATENCY = "latency"  # `seconds` before anything happens; adds to whatever else hits the request
    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    QUOTA = "quota"  # 429 insufficient_quota: no use in trying again
    ERROR_500 = "error_500"
    ERROR_503 = "error_503"
    ERROR_500_AFTER = "error_500_after"  # acted
    RESET_BEFORE = "reset_before"  # connection reset, not acted
    RESET_AFTER = "reset_after"  # acted, then connection reset: the answer is lost
    SLOW_BODY = "slow_body"  # acted; the body trickles for `seconds`
    GARBAGE = "garbage"  # acted; 200 with half a body
    CONVERSATION_LOCKED = "conversation_locked"  # the 400 that is to be tried again
    UNAUTHORIZED = "unauthorized"  # 401
    QUOTED = (
        "quoted"  # refused (400), quoting in message and code what was sent, or what would have been answered
    )
    IGNORED = "ignored"  # not acted, but answered 200 as if it had: a server that does not do what it says
    HANG = "hang"  # not acted, never answered; with `seconds` the connection is reset then
    # Acts `seconds` after the request came, whether or not its client still waits, and answers then. With `status`
    # that error is answered at once, as by a proxy that does not wait for the server behind it.
    ACT_LATE = "act_late"
    RESET_ACT_LATE = "reset_act_late"  # connection reset at once, acted `seconds` later
    ANSWER_LATE = "answer_late"  # acted at once, answered `seconds` later
    ANOTHERS_ANSWER = (
        "anothers_answer"  # acted; 200 with what another request got, of the same route if there is one
    )

    # What a server is like. These add to whatever else hits the request.
    # What the request appended shows in lists `seconds` later, what it deleted still shows so long:
    LIST_LAG = "list_lag"  # all of it at once
    LIST_GROWS = "list_grows"  # item by item, from the oldest
    LIST_NEWEST_FIRST = "list_newest_first"  # item by item, from the newest: older ones are missing
    LIST_FLICKERS = "list_flickers"  # all of it at once, for a third of the time; then not; then for good
    READ_LAG = "read_lag"  # the conversation that the request created is 404 to reads for `seconds`
    CREATE_LAG = "create_lag"  # … to every request
    FORGETS_ITEMS = "forgets_items"  # what the request appended is lost `seconds` after its answer
    FORGETS_CONVERSATION = "forgets_conversation"  # so is the whole conversation
    CACHE = "cache"  # a proxy answers a read as it did up to `seconds` ago, unless asked with `Cache-Control: no-cache`
    IDS_DROPPED = "ids_dropped"  # clients' ids are not kept, so no repeat is noticed
    REPEATS_TAKEN = "repeats_taken"  # an id that the conversation holds is appended once more, under a new id
    REPEATS_SWALLOWED = "repeats_swallowed"  # … is answered with the item that is there, and not appended


DEFAULT_SECONDS: Mapping[Kind, float] = {
    Kind.LATENCY: 1.0,
    Kind.SLOW_BODY: 2.0,
    Kind.HANG: math.inf,
    Kind.ACT_LATE: 5.0,
    Kind.RESET_ACT_LATE: 5.0,
    Kind.ANSWER_LATE: 5.0,
    Kind.LIST_LAG: 2.0,
    Kind.LIST_GROWS: 2.0,
    Kind.LIST_NEWEST_FIRST: 2.0,
    Kind.LIST_FLICKERS: 2.0,
    Kind.READ_LAG: 2.0,
    Kind.CREATE_LAG: 2.0,
    Kind.CACHE: 30.0,
}
MANNERS = frozenset(
    {
        Kind.LATENCY,
        Kind.LIST_LAG,
        Kind.LIST_GROWS,
        Kind.LIST_NEWEST_FIRST,
        Kind.LIST_FLICKERS,
        Kind.READ_LAG,
        Kind.CREATE_LAG,
        Kind.FORGETS_ITEMS,
        Kind.FORGETS_CONVERSATION,
        Kind.CACHE,
        Kind.IDS_DROPPED,
        Kind.REPEATS_TAKEN,
        Kind.REPEATS_SWALLOWED,
    }
)
"""Kinds that add to whatever else hits a request; of the others the first rule wins."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One fault: hits matching requests, after `after` spared ones each `every`-th, `times` times in all."""

    kind: Kind
    match: str = ""
    times: int | None = None
    after: int = 0
    every: int = 1
    seconds: float | None = None
    retry_after: float = 1.0
    status: int | None = None  # instead of the kind's own status, for kinds that answer with an error

    def __post_init__(self) -> None:
        try:
            re.compile(self.match)
        except re.error as error:
            raise FaultError(f"'{self.match}' is not a regular expression: {error}") from error
        if self.every < 1 or self.after < 0 or (self.times is not None and self.times < 1):
            raise FaultError("'every' and 'times' start at 1, 'after' at 0")
        if self.status is not None and not 400 <= self.status <= 599:
            raise FaultError("'status' is an error's: 400 to 599")

    @property
    def duration(self) -> float:
        """Seconds this fault takes."""
        return DEFAULT_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds


class FaultError(ValueError):
    """A fault that can't be understood; the message says what is expected."""


@dataclass(slots=True)
class Armed:
    """A rule that is switched on."""

    rule: FaultRule
    pattern: re.Pattern[str]
    seen: int = 0
    fired: int = 0

    def due(self, subject: str) -> bool:
        """Count a request that matches, and tell whether the rule would hit it."""
        if not self.pattern.search(subject):
            return False
        self.seen += 1
        rule, place = self.rule, self.seen - self.rule.after
        return place > 0 and place % rule.every == 0 and (rule.times is None or self.fired < rule.times)


@dataclass(frozen=True, slots=True)
class Hit:
    """What hits one request: a delay (seconds), the server's manners (seconds by kind), and at most one fault."""

    delay: float = 0.0
    manners: Mapping[str, float] = field(default_factory=dict)
    fault: FaultRule | None = None


@dataclass(slots=True)
class FaultBook:
    """The rules that are switched on, in the order they came."""

    armed: list[Armed] = field(default_factory=list)

    def add(self, rule: FaultRule) -> None:
        """Switch a rule on."""
        self.armed.append(Armed(rule, re.compile(rule.match)))

    def clear(self) -> None:
        """Switch all off."""
        self.armed.clear()

    def choose(self, method: str, path: str) -> Hit:
        """Return what hits this request, and count it as fired: all manners, and the first other rule."""
        if not self.armed:
            return Hit()
        delay = 0.0
        manners: dict[str, float] = {}
        fault: FaultRule | None = None
        subject = f"{method} {path.removeprefix('/v1')}"
        for armed in self.armed:
            if not armed.due(subject):
                continue
            rule = armed.rule
            if rule.kind is Kind.LATENCY:
                delay += rule.duration
            elif rule.kind in MANNERS:
                manners[rule.kind] = rule.duration
            elif fault is None:
                fault = rule
            else:
                continue
            armed.fired += 1
        return Hit(delay, manners, fault)


def parse_spec(spec: str) -> list[FaultRule]:
    """Read a SPEC; raises FaultError that says what is wrong and what is possible."""
    return [_parse_rule(text.strip()) for text in spec.split(";") if text.strip()]


def rules_from_json(value: object) -> list[FaultRule]:
    """Read `{"spec": SPEC}`, one rule object, or a list of them; raises FaultError."""
    if isinstance(value, list):
        return [rule for member in value for rule in rules_from_json(member)]
    if not isinstance(value, dict):
        raise FaultError('expected a rule object, a list of them, or {"spec": "…"}')
    if "spec" in value:
        return parse_spec(str(value["spec"]))
    options = {name: str(option) for name, option in value.items() if option is not None}
    return [_rule(options.pop("kind", ""), options.pop("match", ""), options)]


def refusal(rule: FaultRule) -> Answer | None:
    """Return the answer of a fault that does nothing but answer; None for the kinds that do something else."""
    if rule.kind is Kind.IGNORED:
        return answer_of({})
    error = _REFUSALS.get(rule.kind)
    if rule.kind is Kind.ACT_LATE and rule.status is not None:
        error = ("upstream request timeout", rule.status, "server_error", None)
    if error is None:
        return None
    message, status, type_, code = error
    headers = (("retry-after", f"{rule.retry_after:g}"),) if rule.kind is Kind.RATE_LIMIT else ()
    return refusal_of(
        ApiError(message, status=rule.status or status, type_=type_, code=code, headers=headers)
    )


_REFUSALS: Mapping[Kind, tuple[str, int, str, str | None]] = {
    Kind.RATE_LIMIT: (
        "Rate limit reached for requests. Please try again later.",
        429,
        "requests",
        "rate_limit_exceeded",
    ),
    Kind.QUOTA: (
        "You exceeded your current quota, please check your plan and billing details.",
        429,
        "insufficient_quota",
        "insufficient_quota",
    ),
    Kind.ERROR_500: (
        "The server had an error while processing your request. Sorry about that!",
        500,
        "server_error",
        None,
    ),
    Kind.ERROR_500_AFTER: (
        "The server had an error while processing your request. Sorry about that!",
        500,
        "server_error",
        None,
    ),
    Kind.ERROR_503: (
        "The server is currently overloaded with other requests. Sorry about that!",
        503,
        "server_error",
        None,
    ),
    # Reported: a 400 that is to be tried again.
    Kind.CONVERSATION_LOCKED: (
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        400,
        "invalid_request_error",
        "conversation_locked",
    ),
    Kind.UNAUTHORIZED: (
        "Incorrect API key provided.",
        401,
        "invalid_request_error",
        "invalid_api_key",
    ),
}

_OPTION = re.compile(r"(times|after|every|seconds|retry_after|status)=(.*)", re.DOTALL)


def _parse_rule(text: str) -> FaultRule:
    kind, _, rest = text.partition(":")
    segments = rest.split(":")
    options: dict[str, str] = {}
    # From the right: what is left is the pattern, which may hold colons of its own.
    while segments and (option := _OPTION.fullmatch(segments[-1])):
        options[option[1]] = option[2]
        segments.pop()
    return _rule(kind, ":".join(segments), options)


def _rule(kind: str, match: str, options: Mapping[str, str]) -> FaultRule:
    if kind not in set(Kind):
        raise FaultError(f"'{kind}' is no fault; there are {', '.join(Kind)}")
    return FaultRule(Kind(kind), match, **dict(_read_options(options)))


def _read_options(options: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    known = {option.name for option in fields(FaultRule)} - {"kind", "match"}
    for name, text in options.items():
        if name not in known:
            raise FaultError(f"'{name}' is no option of a fault; there are {', '.join(sorted(known))}")
        if name == "times" and text == "forever":
            continue
        try:
            yield name, (float(text) if name in {"seconds", "retry_after"} else int(text))
        except ValueError as error:
            raise FaultError(f"'{name}={text}': a number is expected") from error
