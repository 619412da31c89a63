"""Threads with unusual runs: functions, searches, citations, code and the files it made.

Standard library only; must not import Django.
"""

from console.sample.company import moment
from console.sample.objects import (
    attachment,
    code_call,
    file_citation,
    file_id,
    file_path,
    function_call,
    image_file,
    search_call,
    text,
    url_citation,
)
from console.sample.phrases import ledger_answer
from console.sample.quirky_messages import FAMILY, dialogue, user
from console.sample.scenes import Scene, Turn, plain, spoken

IRON, COPPER = "care-cast-iron.pdf", "care-copper.pdf"
FREE_FORM = {"response_format": "auto"}


def _functions() -> tuple[Scene, ...]:
    order = function_call(
        "one", "get_order_status", '{"order_number":"QH-310442"}', '{"status":"on its way","day":"Thursday"}'
    )
    weather = tuple(
        function_call(f"weather-{city}", "get_weather", f'{{"city": "{city}"}}', f"{sky}, {degrees} °C")
        for city, sky, degrees in (("Lyon", "cloudy", 14), ("Turin", "clear", 19), ("Zürich", "Föhn", 22))
    )
    trains = function_call(
        "train",
        "find_trains",
        '{"origin":"Basel","destination":"Turin","date":"2025-09-18"}',
        '[{"departs":"07:28","arrives":"12:40"}]',
    )
    hotels = function_call("hotel", "find_hotels", '{"city":"Turin","nights":2}', "[]")
    invoice = function_call(
        "invoice", "get_invoice", '{"invoice_number":"R-2025-118"}', '{"total":"1980.00","currency":"SEK"}'
    )
    rate = function_call("rate", "get_exchange_rate", '{"currency":"SEK","date":"2025-07-01"}', "0.0894")
    stock = function_call("stock", "check_stock", '{"product":"wok","shop":"Leeds"}', "")
    return (
        Scene(
            "one-call",
            "desk",
            moment("2025-07-07"),
            (
                Turn(
                    (plain("Where is QH-310442?"),),
                    (plain("It is on its way and due on Thursday."),),
                    ((order,),),
                ),
                Turn(
                    (plain("And are there woks in Leeds?"),),
                    (plain("I got no number from Leeds; please call the shop."),),
                    ((stock,),),
                ),
            ),
            user(61),
        ),
        Scene(
            "parallel-calls",
            "trips",
            moment("2025-09-09"),
            (
                Turn(
                    (plain("Weather in Lyon, Turin and Zürich?"),),
                    (plain("14°, 19° and 22° with Föhn."),),
                    (weather,),
                ),
                *dialogue("trips", "parallel-calls", 2),
            ),
            user(62),
        ),
        Scene(
            "two-rounds",
            "trips",
            moment("2025-09-10"),
            (
                Turn(
                    (plain("Turin on the 18th for two nights, please."),),
                    (plain("Leave Basel at 07:28."), plain("I found no room; shall I try Ivrea?")),
                    ((trains,), (hotels,)),
                ),
            ),
            user(63),
        ),
        Scene(
            "calls-then-json",
            "ledger",
            moment("2025-07-02"),
            (
                Turn(
                    (plain("Book R-2025-118 in euros."),),
                    (plain(ledger_answer("177.01 EUR", "4010")),),
                    ((invoice,), (rate,)),
                ),
            ),
            user(64),
        ),
    )


def _searches() -> tuple[Scene, ...]:
    iron, copper = file_citation(file_id(IRON)), file_citation(file_id(COPPER))
    both = ((file_id(IRON), IRON, 0.8126), (file_id(COPPER), COPPER, 0.6471))
    german = (file_id("pflege-gusseisen.pdf"), "pflege-gusseisen.pdf", 0.7719)
    return (
        Scene(
            "citations",
            "desk",
            moment("2025-04-14"),
            (
                Turn(
                    (plain("How do I clean iron, and how copper?"),),
                    (
                        spoken(
                            text(
                                "For iron hot water only【4:0†source】. "
                                "For copper lemon and salt【4:1†source】, never soda【4:1†source】.",
                                (("【4:0†source】", iron), ("【4:1†source】", copper)),
                            )
                        ),
                    ),
                    (
                        (
                            search_call(
                                "both", both, "Rinse with hot water. Do not use soap on a seasoned surface."
                            ),
                        ),
                    ),
                ),
                # Offsets count code points: the family is one sign to the eye but seven of them.
                Turn(
                    (plain(f"Is it safe for the family {FAMILY}?"),),
                    (
                        spoken(
                            text(
                                f"For all of you {FAMILY}: yes【8:3†{IRON}】 👍.",
                                ((f"【8:3†{IRON}】", iron),),
                            )
                        ),
                    ),
                    ((search_call("again", both[:1]),),),
                ),
            ),
            user(71),
        ),
        Scene(
            "one-range-two-citations",
            "desk",
            moment("2025-04-15"),
            (
                Turn(
                    (plain("Which pans may go into the oven?"),),
                    (
                        spoken(
                            text(
                                "All without wooden handles【6:0†source】.",
                                (("【6:0†source】", iron), ("【6:0†source】", copper)),
                            )
                        ),
                    ),
                    ((search_call("oven", both),),),
                ),
            ),
            user(72),
        ),
        Scene(
            "german-citation",
            "kueche",
            moment("2025-04-16"),
            (
                Turn(
                    (plain("Wie oft öle ich die Pfanne?"),),
                    (
                        spoken(
                            text(
                                "Nach jedem dritten Gebrauch【4:2†pflege-gusseisen.pdf】.",
                                (
                                    (
                                        "【4:2†pflege-gusseisen.pdf】",
                                        file_citation(file_id("pflege-gusseisen.pdf")),
                                    ),
                                ),
                            )
                        ),
                    ),
                    ((search_call("german", (german,)),),),
                ),
                *dialogue("kueche", "german-citation", 3),
            ),
            user(73),
        ),
        Scene(
            "web-citation",
            "trips",
            moment("2026-04-20"),
            (
                Turn(
                    (plain("Is the pass road open?"),),
                    (
                        spoken(
                            text(
                                "Open since Saturday【3:1†source】.",
                                (
                                    (
                                        "【3:1†source】",
                                        url_citation("https://roads.example/pass?day=1", "Pass roads today"),
                                    ),
                                ),
                            )
                        ),
                    ),
                ),
            ),
            user(74),
        ),
    )


def _code() -> tuple[Scene, ...]:
    table = code_call(
        "table",
        "import pandas as pd\nsales = pd.read_csv('/mnt/data/sales.csv')\nsales.groupby('month').sum()",
        {"type": "logs", "logs": "month  net\nJan   41200\nFeb   38950\nMar   45010"},
    )
    chart = code_call(
        "chart",
        "sales.plot.bar()\nplt.savefig('/mnt/data/quarter-chart.png')",
        {"type": "image", "image": {"file_id": file_id("quarter-chart.png")}},
    )
    margin = code_call(
        "margin", "plot(margin)", {"type": "image", "image": {"file_id": file_id("margin-chart.png")}}
    )
    export = code_call("export", "open_items.to_csv('/mnt/data/open-items.csv')")
    link = "sandbox:/mnt/data/open-items.csv"
    made = attachment(file_id("open-items.csv"), "code_interpreter")
    return (
        Scene(
            "chart",
            "ledger",
            moment("2025-04-07"),
            (
                Turn(
                    (
                        plain(
                            "Draw the first quarter.",
                            attachments=[attachment(file_id("quarter-sales.csv"), "code_interpreter")],
                        ),
                    ),
                    (spoken(image_file(file_id("quarter-chart.png")), text("March was the best month.")),),
                    ((table,), (chart,)),
                    FREE_FORM,
                ),
            ),
            user(81),
            {"tool_resources": {"code_interpreter": {"file_ids": [file_id("quarter-sales.csv")]}}},
        ),
        Scene(
            "chart-without-words",
            "ledger",
            moment("2025-10-09"),
            (
                Turn(
                    (plain("Margins as a picture, please."),),
                    (spoken(image_file(file_id("margin-chart.png"))),),
                    ((margin,),),
                    FREE_FORM,
                ),
            ),
            user(82),
        ),
        Scene(
            "file-made",
            "ledger",
            moment("2025-09-15"),
            (
                Turn(
                    (plain("Give me the open items as a file."),),
                    (
                        spoken(
                            text(
                                f"Done: [Download the open items]({link})",
                                ((link, file_path(file_id("open-items.csv"))),),
                            ),
                            attachments=[made],
                        ),
                    ),
                    ((export,),),
                    FREE_FORM,
                ),
            ),
            user(83),
        ),
    )


def quirky_runs() -> tuple[Scene, ...]:
    """Every thread of this module."""
    return (*_functions(), *_searches(), *_code())
