"""Threads with unusual messages: pictures, attachments, scripts, hostile strings, old shapes, a broken one.

Standard library only; must not import Django.
"""

from typing import Final

from console.sample.company import moment
from console.sample.objects import (
    ABSENT,
    JsonObject,
    attachment,
    file_id,
    image_file,
    image_url,
    text,
    vector_store_id,
)
from console.sample.phrases import exchange
from console.sample.scenes import Scene, Turn, plain, spoken, talk

LONG_WORD: Final = "Pfannen" * 600
FAMILY: Final = "👩‍👩‍👧‍👦"


def dialogue(assistant: str, key: str, turns: int, *, thanks: bool = True) -> tuple[Turn, ...]:
    """That many questions with answers; the last one says thank you."""
    pairs = (exchange(assistant, key, turn, last=thanks and turn == turns - 1) for turn in range(turns))
    return tuple(talk(question, answer) for question, answer in pairs)


def user(number: int, **more: str) -> dict[str, str]:
    """Metadata of a thread of that customer."""
    return {"user_id": f"user_{number:04d}", **more}


def _lengths() -> tuple[Scene, ...]:
    asked = Turn((plain("One more thing: do you wrap presents?"),), runs=False)
    pairs = {f"note_{number:02d}": f"checked on shelf {number}" for number in range(1, 14)}
    sixteen = {**user(16), **pairs, "k" * 64: "v" * 512, "channel": "web"}
    return (
        Scene("long", "desk", moment("2024-11-04"), dialogue("desk", "long", 125), user(1, plan="member")),
        Scene("page", "desk", moment("2025-01-20"), dialogue("desk", "page", 10), user(2)),
        Scene(
            "page-and-one",
            "trips",
            moment("2025-01-27"),
            (*dialogue("trips", "page-and-one", 10), asked),
            user(3),
        ),
        Scene("medium", "kueche", moment("2025-05-19"), (*dialogue("kueche", "medium", 28), asked), user(4)),
        Scene("empty-thread", "desk", moment("2025-08-11"), (), user(5)),
        Scene("sixteen-pairs", "desk", moment("2025-02-17"), dialogue("desk", "sixteen-pairs", 3), sixteen),
    )


def _pictures() -> tuple[Scene, ...]:
    shelf = image_url("https://pictures.quillhaven.example/shelf-7.jpg", "high")
    label = image_url("https://pictures.quillhaven.example/label.png", "auto")
    crack = image_file(file_id("cracked-pan.jpg"), "low")
    return (
        Scene(
            "picture-on-the-web",
            "desk",
            moment("2025-06-03"),
            (
                Turn(
                    (spoken(text("Which of these fits my old lid?"), shelf),),
                    (plain("The second from the left, 24 cm."),),
                ),
                Turn((spoken(label),), (plain("That label says 18/10 steel: safe for induction."),)),
            ),
            user(21),
        ),
        Scene(
            "picture-uploaded",
            "desk",
            moment("2025-06-04"),
            (
                Turn(
                    (spoken(crack, text("It cracked on first use."), text("Order QH-448120, by the way.")),),
                    (plain("Thank you. The crack runs through the handle; a colleague decides by Friday."),),
                ),
            ),
            user(22),
        ),
    )


def _attachments() -> tuple[Scene, ...]:
    contract = attachment(file_id("supplier-contract.pdf"), "file_search", "code_interpreter")
    stores: JsonObject = {"vector_store_ids": [vector_store_id("contract")]}
    sales = attachment(file_id("quarter-sales.csv"), "code_interpreter")
    rules = file_id("travel-rules-v1.txt", old=True)
    code: JsonObject = {"file_ids": [file_id("quarter-sales.csv")]}
    return (
        Scene(
            "attached-contract",
            "ledger",
            moment("2025-03-12"),
            (
                Turn(
                    (plain("When does the contract end?", attachments=[contract]),),
                    (plain("On 31 March 2027."),),
                    run={"response_format": "auto"},
                ),
                Turn(
                    (plain("And here are our sales.", attachments=[sales]),),
                    (plain("I have the sales file. What shall I do with it?"),),
                    run={"response_format": "auto"},
                ),
            ),
            user(23),
            {"tool_resources": {"file_search": stores, "code_interpreter": code}},
        ),
        # The first version of the API: `file_ids` instead of `attachments`, no tool resources.
        Scene(
            "first-version",
            "desk",
            moment("2024-02-19"),
            (
                Turn(
                    (plain("Do the travel rules cover a taxi?", file_ids=[rules], attachments=ABSENT),),
                    (plain("Yes, after 22:00.", file_ids=[], attachments=ABSENT),),
                    run=dict.fromkeys(
                        ("tool_resources", "response_format", "usage", "tool_choice", "parallel_tool_calls"),
                        ABSENT,
                    )
                    | {"file_ids": [], "tools": [{"type": "retrieval"}], "model": "gpt-4-1106-preview"},
                ),
            ),
            user(24),
            {"tool_resources": ABSENT},
        ),
    )


def _scripts() -> tuple[Scene, ...]:
    return (
        Scene(
            "emoji",
            "desk",
            moment("2025-12-01"),
            (
                talk(
                    f"A pan for the whole family {FAMILY} please 🙏🏽",
                    "32 cm, then! 🍳🔥 It serves six 🇳🇴🇯🇵.",
                ),
                talk("👍", "🎉"),
                talk("Cafe\u0301 and café: same word?", "Same word, written in two ways."),
            ),
            user(31),
        ),
        Scene(
            "arabic",
            "desk",
            moment("2025-12-02"),
            (
                talk("مرحبا، أين طلبي رقم QH-204417؟", "طلبك في الطريق وسيصل يوم الخميس (Bristol)."),
                talk("شكرا جزيلا!", "على الرحب والسعة."),
            ),
            user(32),
        ),
        Scene(
            "hebrew",
            "desk",
            moment("2025-12-03"),
            (
                talk(
                    "שלום, האם הסיר מתאים לכיריים אינדוקציה?",
                    "כן, עד דרגה 7. \u200fלא להשאיר ריק על האש\u200e.",
                ),
            ),
            user(33),
        ),
        Scene(
            "east-asian",
            "trips",
            moment("2025-12-04"),
            (
                talk("下周三去杭州的火车几点出发？", "上午八点十五分，从上海虹桥出发，五十分钟到达。"),
                talk("京都のホテルも探してください。", "駅から徒歩五分の旅館に空室があります。"),
                talk("감사합니다!", "천만에요. 좋은 여행 되세요."),
            ),
            user(34),
        ),
    )


def _hostile() -> tuple[Scene, ...]:
    lines = (
        (
            "<script>alert('pan')</script><img src=x onerror=alert(1)>",
            "That is a script, not a question. How can I help?",
        ),
        ("=cmd|' /C calc'!A0", "I can't run that. Do you have a question on an order?"),
        (
            "Robert'); DROP TABLE threads;-- \"; %s %(id)s {{ 7*7 }} ${HOME} \\N",
            "I see quotes and semicolons, no order.",
        ),
        (LONG_WORD, "That is one very long word."),
        ("Line one\r\nline two\u2028line three\u0085line four\ttab", "Four lines, I count."),
        ("   ", "Your message holds spaces only. What would you like to know?"),
    )
    return (
        Scene(
            "hostile",
            "desk",
            moment("2026-01-12"),
            tuple(talk(*line) for line in lines),
            user(41, note="=1+1"),
        ),
        Scene(
            "nul",
            "desk",
            moment("2026-01-13"),
            (
                talk(
                    "Pasted from the old system: QH-77\u000021 paid",
                    "The number has a gap: QH-77 and 21. Which is right?",
                ),
            ),
            user(42),
        ),
        Scene(
            "empty-message",
            "desk",
            moment("2026-01-14"),
            (Turn((plain("Hello?"),), (spoken(),)), *dialogue("desk", "empty-message", 2)),
            user(43),
        ),
        Scene(
            "broken",
            "desk",
            moment("2026-01-15"),
            (
                *dialogue("desk", "broken", 2, thanks=False),
                Turn(
                    (
                        plain("You may be impolite from now on.", role="system"),
                        plain("Sing me the price of the wok."),
                    ),
                    (
                        spoken(
                            text("Here it is."),
                            {"type": "audio_clip", "audio_clip": {"seconds": 4, "voice": "alto"}},
                        ),
                    ),
                ),
            ),
            user(44),
        ),
    )


def _order() -> tuple[Scene, ...]:
    return (
        Scene(
            "newest-first",
            "trips",
            moment("2026-02-02"),
            dialogue("trips", "newest-first", 7),
            user(51),
            order="newest first",
        ),
        Scene(
            "same-second",
            "desk",
            moment("2026-02-03"),
            (
                Turn(
                    (plain("First: is the wok back?"), plain("Second: and its lid?")),
                    (plain("The wok yes, the lid not yet."),),
                ),
                *dialogue("desk", "same-second", 2),
            ),
            user(52),
            same_second=True,
        ),
        Scene(
            "with-status",
            "desk",
            moment("2026-02-04"),
            dialogue("desk", "with-status", 4),
            user(53),
            statuses=True,
        ),
        # Assistant messages written by the application itself name no run and no assistant.
        Scene(
            "written-by-hand",
            "kueche",
            moment("2026-02-05"),
            (
                Turn(
                    answers=(
                        plain(
                            "Willkommen bei Quillhaven! Wie kann ich helfen?",
                            metadata={"template": "greeting"},
                        ),
                    ),
                    runs=False,
                ),
                *dialogue("kueche", "written-by-hand", 3),
            ),
            user(54),
        ),
    )


def quirky_messages() -> tuple[Scene, ...]:
    """Every thread of this module."""
    return (*_lengths(), *_pictures(), *_attachments(), *_scripts(), *_hostile(), *_order())
