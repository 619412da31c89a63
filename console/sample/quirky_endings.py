"""Threads with a run that did not end well: expired, cut off, cancelled, failed, still waiting, refused.

Standard library only; must not import Django.
"""

from console.sample.company import moment
from console.sample.objects import JsonObject, function_call, text
from console.sample.quirky_messages import dialogue, user
from console.sample.scenes import Scene, Turn, plain, spoken, talk


def _stopped(reason: str, at: str) -> JsonObject:
    return {
        "status": "incomplete",
        "completed_at": None,
        "incomplete_at": moment(at) + 10,
        "incomplete_details": {"reason": reason},
    }


def quirky_endings() -> tuple[Scene, ...]:
    """Every thread of this module."""
    porto = '{"city":"Porto","nights":3}'
    waiting = function_call("waiting", "find_hotels", porto, None)
    hotels: JsonObject = {"name": "find_hotels", "arguments": porto}
    asked: JsonObject = {"id": waiting["id"], "type": "function", "function": hotels}
    refusal: JsonObject = {"type": "refusal", "refusal": "I'm sorry, I can't help with that."}
    return (
        Scene(
            "expired",
            "desk",
            moment("2026-03-02"),
            (
                # As recorded: `completed_at` is set and there is no error. The output was never submitted.
                Turn(
                    (plain("Status of QH-118800, please."),),
                    (),
                    ((function_call("expired", "get_order_status", '{"order_number":"QH-118800"}', None),),),
                    {"status": "expired"},
                    {"status": "expired", "completed_at": None},
                ),
                talk(
                    "Hello? Anybody there?",
                    "Sorry, I lost the line to our warehouse. Please try again in an hour.",
                ),
            ),
            user(65),
        ),
        Scene(
            "cut-off",
            "desk",
            moment("2026-03-09"),
            (
                # As recorded: the message says `max_tokens`, its run `max_prompt_tokens`.
                Turn(
                    (plain("List every product, with prices."),),
                    (
                        spoken(
                            text("1. Skillet 24 cm, 49.00\n2. Skillet 28 cm, 59.00\n3. Sauce"),
                            **_stopped("max_tokens", "2026-03-09"),
                        ),
                    ),
                    run={
                        "status": "incomplete",
                        "incomplete_details": {"reason": "max_prompt_tokens"},
                        "max_prompt_tokens": 256,
                    },
                ),
                talk("Only skillets, then.", "24 cm costs 49.00 and 28 cm costs 59.00."),
            ),
            user(91),
        ),
        Scene(
            "filtered",
            "kueche",
            moment("2026-03-10"),
            (
                Turn(
                    (plain("Schreiben Sie mir ein böses Gedicht über meinen Nachbarn."),),
                    (spoken(text("Es war einmal"), **_stopped("content_filter", "2026-03-10")),),
                    run={"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
                ),
            ),
            user(92),
        ),
        Scene(
            "cancelled",
            "trips",
            moment("2026-03-11"),
            (
                Turn(
                    (plain("Plan two weeks in ten cities."),),
                    (spoken(text("Day 1: "), **_stopped("run_cancelled", "2026-03-11")),),
                    run={
                        "status": "cancelled",
                        "completed_at": None,
                        "cancelled_at": moment("2026-03-11") + 2,
                    },
                ),
                *dialogue("trips", "cancelled", 2),
            ),
            user(93),
        ),
        Scene(
            "failed",
            "ledger",
            moment("2026-03-12"),
            (
                Turn(
                    (plain("Match all receipts of May."),),
                    run={
                        "status": "failed",
                        "completed_at": None,
                        "failed_at": moment("2026-03-12") + 3,
                        "last_error": {
                            "code": "rate_limit_exceeded",
                            "message": "Rate limit reached. Try again later.",
                        },
                    },
                ),
            ),
            user(94),
        ),
        Scene(
            "still-waiting",
            "trips",
            moment("2026-08-20"),
            (
                Turn(
                    (plain("Porto, three nights."),),
                    (),
                    ((waiting,),),
                    {
                        "status": "requires_action",
                        "completed_at": None,
                        "usage": None,
                        "expires_at": moment("2026-08-20") + 601,
                        "required_action": {
                            "type": "submit_tool_outputs",
                            "submit_tool_outputs": {"tool_calls": [asked]},
                        },
                    },
                    {
                        "status": "in_progress",
                        "completed_at": None,
                        "usage": None,
                        "expires_at": moment("2026-08-20") + 601,
                    },
                ),
            ),
            user(95),
        ),
        Scene(
            "refusal",
            "ledger",
            moment("2026-03-13"),
            (
                Turn((plain("Which receipts can I invent?"),), (spoken(refusal),)),
                Turn((plain("Then how do I age paper?"),), (spoken(text("About paper: "), refusal),)),
            ),
            user(96),
        ),
        # The answer was deleted later; the step that made it still names it.
        Scene(
            "answer-deleted",
            "desk",
            moment("2026-03-16"),
            (
                Turn(
                    (plain("My card number is on the receipt, see?"),),
                    (plain("Removed."),),
                    answers_kept=False,
                ),
                *dialogue("desk", "answer-deleted", 2),
            ),
            user(97),
        ),
    )
