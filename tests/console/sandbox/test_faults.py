import socket

import httpx2
import pytest
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    OpenAI,
    RateLimitError,
)

from console.sandbox.faults import FaultBook, FaultError, FaultRule, Kind, parse_spec, rules_from_json
from tests.sandbox import RunningSandbox

from .api import Json, get, post, user


def fired(
    book: FaultBook, count: int, subject: tuple[str, str] = ("POST", "/v1/conversations")
) -> list[bool]:
    return [book.choose(*subject).fault is not None for _ in range(count)]


def book(*rules: FaultRule) -> FaultBook:
    made = FaultBook()
    for rule in rules:
        made.add(rule)
    return made


def test_rule_without_numbers_hits_every_match() -> None:
    assert fired(book(FaultRule(Kind.ERROR_500, "POST")), 3) == [True, True, True]


def test_times_ends_a_rule() -> None:
    assert fired(book(FaultRule(Kind.ERROR_500, times=2)), 4) == [True, True, False, False]


def test_after_spares_the_first_matches() -> None:
    assert fired(book(FaultRule(Kind.ERROR_500, after=2, times=1)), 4) == [False, False, True, False]


def test_every_hits_each_kth_match_counted_after_the_spared_ones() -> None:
    rule = FaultRule(Kind.ERROR_500, after=1, every=2)
    assert fired(book(rule), 6) == [False, False, True, False, True, False]


def test_match_sees_method_and_path_without_version() -> None:
    rule = FaultRule(Kind.ERROR_500, "^POST /conversations$")
    assert fired(book(rule), 1, ("POST", "/v1/conversations")) == [True]
    assert fired(book(rule), 1, ("POST", "/v1/conversations/conv_1/items")) == [False]
    assert fired(book(rule), 1, ("GET", "/v1/conversations")) == [False]


def test_first_rule_wins_and_the_other_is_not_used_up() -> None:
    made = book(FaultRule(Kind.ERROR_500, times=1), FaultRule(Kind.ERROR_503, times=1))
    kinds = [rule.kind for _ in range(2) if (rule := made.choose("GET", "/v1/models").fault) is not None]
    assert kinds == [Kind.ERROR_500, Kind.ERROR_503]


def test_latencies_add_up_beside_another_fault() -> None:
    made = book(
        FaultRule(Kind.LATENCY, seconds=0.5),
        FaultRule(Kind.LATENCY, seconds=0.25),
        FaultRule(Kind.ERROR_500),
    )
    hit = made.choose("GET", "/v1/models")
    assert (hit.delay, hit.fault and hit.fault.kind) == (0.75, Kind.ERROR_500)


def test_spec_of_several_rules_is_read() -> None:
    spec = "reset_after:POST /conversations$:times=2; rate_limit:POST .*/items:every=5:retry_after=1.5;"
    assert parse_spec(spec) == [
        FaultRule(Kind.RESET_AFTER, "POST /conversations$", times=2),
        FaultRule(Kind.RATE_LIMIT, "POST .*/items", every=5, retry_after=1.5),
    ]


def test_pattern_of_a_spec_may_hold_colons() -> None:
    spec = "latency:GET /(?:models|files):seconds=0.5:times=forever"
    assert parse_spec(spec) == [FaultRule(Kind.LATENCY, "GET /(?:models|files)", seconds=0.5)]


def test_spec_may_be_a_bare_kind() -> None:
    assert parse_spec("hang") == [FaultRule(Kind.HANG)]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("flood:POST", "'flood' is no fault; there are latency, rate_limit"),
        ("hang:(", "not a regular expression"),
        ("hang:x:times=two", "a number is expected"),
        ("hang:x:times=0", "start at 1"),
        ("error_500:x:status=200", "400 to 599"),
    ],
)
def test_bad_spec_says_what_is_wrong(spec: str, text: str) -> None:
    with pytest.raises(FaultError, match=text):
        parse_spec(spec)


def test_rules_are_read_from_json_in_three_forms() -> None:
    rule = {"kind": "hang", "match": "GET", "times": 2}
    expected = FaultRule(Kind.HANG, "GET", times=2)
    assert rules_from_json(rule) == [expected]
    assert rules_from_json([rule, {"spec": "hang:GET:times=2"}]) == [expected, expected]


@pytest.mark.parametrize("value", ["hang", {"kind": "hang", "color": 1}, {"match": "GET"}])
def test_bad_rule_in_json_is_refused(value: object) -> None:
    with pytest.raises(FaultError):
        rules_from_json(value)


def create(client: OpenAI) -> Json:
    made: Json = post(client, "/conversations", {}).json()
    return made


REFUSALS: tuple[tuple[str, type[APIStatusError], int, str | None], ...] = (
    ("rate_limit", RateLimitError, 429, "rate_limit_exceeded"),
    ("quota", RateLimitError, 429, "insufficient_quota"),
    ("error_500", InternalServerError, 500, None),
    ("error_503", InternalServerError, 503, None),
    ("conversation_locked", BadRequestError, 400, "conversation_locked"),
    ("unauthorized", AuthenticationError, 401, "invalid_api_key"),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal[0] for refusal in REFUSALS])
def test_refusing_fault_is_the_sdk_s_error_and_nothing_is_done(
    sandbox: RunningSandbox, client: OpenAI, refusal: tuple[str, type[APIStatusError], int, str | None]
) -> None:
    kind, error, status, code = refusal
    sandbox.control.add_fault(kind, times=1)
    with pytest.raises(error) as refused:
        client.conversations.create()
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert refused.value.request_id is not None
    assert sandbox.control.state().conversations == 0
    assert client.conversations.create().object == "conversation"


def test_rate_limit_says_when_to_come_back(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_faults("rate_limit:POST:retry_after=7")
    with pytest.raises(RateLimitError) as refused:
        client.conversations.create()
    assert refused.value.response.headers["retry-after"] == "7"


def test_status_of_a_refusing_fault_can_be_chosen(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_faults("error_500:POST:status=502")
    with pytest.raises(InternalServerError) as refused:
        client.conversations.create()
    assert refused.value.status_code == 502


def test_ignored_says_200_and_has_not_acted(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = client.conversations.create(items=[{"role": "user", "content": "hi"}])
    sandbox.control.add_faults("ignored:DELETE ")
    client.conversations.delete(made.id)
    state = sandbox.control.state()
    assert (state.conversations, state.items) == (1, {made.id: 1})


def test_error_500_after_has_acted(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("error_500_after")
    with pytest.raises(InternalServerError):
        client.conversations.create()
    assert sandbox.control.state().conversations == 1


def test_reset_before_is_a_connection_error_and_nothing_is_done(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.add_fault("reset_before", "POST /conversations$", times=1)
    with pytest.raises(APIConnectionError):
        client.conversations.create()
    assert sandbox.control.state().conversations == 0


def test_reset_after_is_a_connection_error_and_all_is_done(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("reset_after", "POST .*/items$", times=1)
    with pytest.raises(APIConnectionError):
        post(client, f"/conversations/{made['id']}/items", {"items": [user("a"), user("b")]})
    assert len(sandbox.control.conversation(made["id"]).items) == 2


def test_connection_ends_with_a_tcp_reset(sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("reset_after")
    host, port = sandbox.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_next_request_after_a_reset_is_served(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("reset_before", times=1)
    with pytest.raises(APIConnectionError):
        create(client)
    assert create(client)["object"] == "conversation"


def test_garbage_is_a_success_with_broken_json_and_all_is_done(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.add_fault("garbage", times=1)
    answer = post(client, "/conversations", {})
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert sandbox.control.state().conversations == 1


def test_latency_comes_before_the_act(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("latency", seconds=20)
    with pytest.raises(APITimeoutError):
        client.with_options(timeout=0.2).conversations.create()
    assert sandbox.control.state().conversations == 0


def test_short_latency_ends_in_an_answer(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("latency", seconds=0.01)
    assert create(client)["object"] == "conversation"


def test_slow_body_arrives_whole(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("slow_body", seconds=0.02)
    assert create(client)["object"] == "conversation"


def test_slow_body_runs_into_a_read_timeout_between_pieces(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("slow_body", seconds=20)
    with pytest.raises((APITimeoutError, httpx2.ReadTimeout)):
        client.with_options(timeout=0.2).conversations.create()
    assert sandbox.control.state().conversations == 1


def test_hang_never_answers_and_nothing_is_done(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("hang")
    with pytest.raises(APITimeoutError):
        client.with_options(timeout=0.2).conversations.create()
    assert sandbox.control.state().conversations == 0


def test_hang_with_seconds_ends_in_a_reset(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("hang", seconds=0.05)
    with pytest.raises(APIConnectionError) as broken:
        create(client)
    assert not isinstance(broken.value, APITimeoutError)


def test_faults_do_not_hit_what_does_not_match(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("error_500", "^POST ")
    assert get(client, "/models")["object"] == "list"
