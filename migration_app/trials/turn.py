"""One turn with one version: asked until no tool is wanted any more, or none may be given.

The maximal usage of a response is in the database before it is requested (``trials.work`` says why). Functions
are never run: the outputs of the original run are replayed by name and arguments. Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.comparison.answers import FunctionAsked, ReadAnswer, read_answer
from migration_app.conversion.turns import (
    RecordedAnswer,
    UserTurn,
    asked_text,
    call_key,
    recorded_answer,
    replayed_output,
)
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.responses import response_create
from migration_app.models import Trial, TrialResult, TrialScratch, TrialTurn
from migration_app.tasks.lifecycle import WorkerStopError
from migration_app.trials.plan import (
    BYTES_A_TOKEN,
    Material,
    bytes_of,
    output_limit,
    tokens_most,
    version_bytes,
)
from migration_app.trials.scratch import BudgetError, Desk
from migration_app.trials.trials import content_pack, result_unknown, trial_step

_R = TrialResult.State

_OURS = frozenset({"input", "conversation", "previous_response_id", "stream", "stream_options", "background"})
"""What of a spec a try-out decides itself: one turn at a time, waited for, in the scratch conversation."""


@dataclasses.dataclass(slots=True)
class _Loop:
    """One turn with one version: what it needs, and what has come of it so far."""

    result: TrialResult
    scratch: TrialScratch
    recorded: RecordedAnswer
    spec: JsonObject
    limit: int
    request_bytes: int
    texts: list[str] = dataclasses.field(default_factory=list)
    calls: list[JsonObject] = dataclasses.field(default_factory=list)
    replayed: Counter[str] = dataclasses.field(default_factory=Counter)

    def content(self, error: str = "") -> bytes:
        return content_pack(
            {"answer": "\n\n".join(filter(None, self.texts)), "calls": self.calls, "error": error}
        )


def original_note(desk: Desk, row: TrialTurn, material: Material, turn: UserTurn) -> RecordedAnswer:
    """Keep what the user asked and the original run answered, once, and return the latter."""
    recorded = recorded_answer(material.source, turn)
    if row.content is None:
        content = content_pack(
            {
                "asked": asked_text(material.source, turn),
                "answer": recorded.text,
                "calls": [
                    {
                        "name": call.name,
                        "arguments": call.arguments,
                        "output": call.output,
                        "hosted": not call.is_function,
                    }
                    for call in recorded.calls
                ],
            }
        )
        old = {
            "content": content,
            "old_tokens_in": recorded.tokens_in,
            "old_tokens_out": recorded.tokens_out,
            "old_seconds": recorded.seconds,
        }
        trial_step(desk.row, turn=(row, old))
    return recorded


def turn_ask(
    desk: Desk,
    result: TrialResult,
    scratch: TrialScratch,
    *,
    material: Material,
    turn: UserTurn,
    recorded: RecordedAnswer,
) -> None:
    """Ask for responses until one needs no more tools, or none may be asked."""
    version = desk.row.version_of(result.slot)
    limit = output_limit(version, desk.row.max_output_tokens)
    items = material.plan.items
    loop = _Loop(
        result=result,
        scratch=scratch,
        recorded=recorded,
        spec=version.spec,
        limit=limit,
        request_bytes=version_bytes(version) + bytes_of(items[: turn.end_item]),
    )
    given: list[JsonObject] | None = [planned.item for planned in items[turn.first_item : turn.end_item]]
    while given is not None:
        given = _one_response(desk, loop, given)


def _one_response(desk: Desk, loop: _Loop, given: list[JsonObject]) -> list[JsonObject] | None:
    """Ask once, and write down what came of it; the outputs to give next, None if the turn is over with that."""
    result, scratch = loop.result, loop.scratch
    most = tokens_most(loop.request_bytes, result.rounds, loop.limit)
    try:
        desk.afford_call()
        _afford_tokens(desk.row, most)
    except BudgetError:
        if (
            result.rounds
        ):  # what was answered is kept, and the whole turn is requested again if the try-out is resumed
            _reset(desk, loop)
        raise
    trial_step(
        desk.row,
        calls=1,
        result=(result, {"state": _R.ASKING, "rounds": result.rounds + 1, "asking_tokens": most}),
        scratch=(scratch, {"state": TrialScratch.State.ASKING}),
    )
    body = request_body(loop.spec, scratch.conversation_id, given, loop.limit)
    begun = time.monotonic()
    try:
        value = desk.call(response_create(desk.connection, body=body)).value
    except GatewayError as error:
        _not_answered(desk, loop, error)
        return None
    except WorkerStopError:
        trial_step(desk.row, calls=-1, result=(result, {"asking_tokens": 0}))
        raise
    answer = read_answer(value)
    loop.texts.append(answer.text)
    outputs = _replay(loop, answer)
    at_limit = outputs is not None and result.rounds >= desk.row.max_rounds
    spent_in, spent_out = answer.tokens_in or 0, answer.tokens_out or 0
    told = answer.tokens_in is not None and answer.tokens_out is not None
    values: dict[str, Any] = {
        "asking_tokens": 0,
        "tokens_in": result.tokens_in + spent_in,
        "tokens_out": result.tokens_out + spent_out,
        "milliseconds": result.milliseconds + round((time.monotonic() - begun) * 1000),
    }
    if outputs is None or at_limit:
        # Together with its usage: a crash between the two would request, and pay, again.
        values |= _ended(loop, answer, at_limit=at_limit)
    trial_step(
        desk.row,
        tokens={"tokens_in": spent_in, "tokens_out": spent_out, "tokens_unknown": 0 if told else most},
        result=(result, values),
        scratch=(
            scratch,
            {"response_ids": [*scratch.response_ids, *([answer.response_id] if answer.response_id else [])]},
        ),
    )
    if outputs is None or at_limit:
        return None
    loop.request_bytes += sum(len(output["output"].encode(errors="replace")) for output in outputs)
    return outputs


def request_body(
    spec: JsonObject, conversation_id: str, given: Sequence[JsonObject], limit: int
) -> JsonObject:
    """The arguments of ``responses.create`` for one turn in its scratch conversation."""
    body: JsonObject = {name: value for name, value in spec.items() if name not in _OURS}
    return body | {"conversation": conversation_id, "input": list(given), "max_output_tokens": limit}


def _replay(loop: _Loop, answer: ReadAnswer) -> list[JsonObject] | None:
    """The recorded outputs of all functions that the answer asks for; None if it asks for none, or an unknown one."""
    loop.calls += (_call_json(kind, "", None, hosted=True) for kind in answer.hosted)
    outputs: list[JsonObject] = []
    for asked in answer.functions:
        output = _recorded_output(loop, asked)
        loop.calls.append(_call_json(asked.name, asked.arguments, output, hosted=False))
        if output is not None:
            outputs.append({"type": "function_call_output", "call_id": asked.call_id, "output": output})
    loop.calls += (
        {"name": kind, "arguments": "", "output": None, "hosted": False} for kind in answer.waiting
    )
    whole = len(outputs) == len(answer.functions) and not answer.waiting and answer.status == "completed"
    return outputs if outputs and whole else None


def _call_json(name: str, arguments: str, output: str | None, *, hosted: bool) -> JsonObject:
    return {"name": name, "arguments": arguments, "output": output, "hosted": hosted}


def _recorded_output(loop: _Loop, asked: FunctionAsked) -> str | None:
    key = call_key(asked.name, asked.arguments)
    output = replayed_output(loop.recorded.calls, asked.name, asked.arguments, loop.replayed[key])
    loop.replayed[key] += output is not None
    return output


def _ended(loop: _Loop, answer: ReadAnswer, *, at_limit: bool) -> dict[str, Any]:
    """How the turn ended with this answer."""
    state: str = _R.NEEDS_TOOL if answer.functions or answer.waiting else _R.DONE
    if at_limit:
        state = _R.LOOP_LIMIT
    if answer.status in ("failed", "cancelled"):
        state = _R.FAILED
    return {
        "state": state,
        "status": answer.status,
        "error_code": answer.reason[:64],
        "content": loop.content(),
    }


def _not_answered(desk: Desk, loop: _Loop, error: GatewayError) -> None:
    """Refused: the turn failed. Lost: nobody knows, so it counts as spent, and its conversation is not used again."""
    loop.result.error_code = error.code[:64]
    if error.outcome is Outcome.UNKNOWN:
        named: dict[str, Any] = {"error_code": error.code[:64], "content": loop.content(_told(error))}
        trial_step(desk.row, result=(loop.result, named))
        result_unknown(desk.row, loop.result, loop.scratch)
    else:
        result_fail(desk, loop.result, error, loop.content(_told(error)))


def _told(error: GatewayError) -> str:
    """What the result keeps of an error: it is content there, so it may hold the target's own message."""
    return f"{error.text} The server said: {error.said}" if error.said else error.text


def result_fail(desk: Desk, result: TrialResult, error: GatewayError, content: bytes | None = None) -> None:
    """The turn failed, and nothing came of it at the target."""
    values = {
        "state": _R.FAILED,
        "asking_tokens": 0,
        "error_code": error.code[:64],
        "content": content or content_pack({"answer": "", "calls": [], "error": _told(error)}),
    }
    trial_step(desk.row, result=(result, values))


def _reset(desk: Desk, loop: _Loop) -> None:
    fresh = {"state": _R.PENDING, "rounds": 0, "tokens_in": 0, "tokens_out": 0, "milliseconds": 0}
    deleting = {"state": TrialScratch.State.DELETING}
    trial_step(desk.row, result=(loop.result, fresh), scratch=(loop.scratch, deleting))


def _afford_tokens(row: Trial, most: int) -> None:
    if row.tokens + most > row.max_tokens:
        raise BudgetError(
            f"{row.tokens:,} of {row.max_tokens:,} tokens are used, and the next response may use {most:,} (estimated "
            f"at {BYTES_A_TOKEN} bytes a token, with its output limit), so it was not requested. Resume with a larger "
            "budget."
        )
