"""The invented company of the sample: its four assistants, their files and vector stores.

Quillhaven sells kitchenware. Standard library only; must not import Django.
"""

import datetime as dt
from typing import Final

from console.sample.objects import JsonObject, file_id, object_id, vector_store_id


def moment(day: str) -> int:
    """Unix seconds of nine o'clock UTC on that ISO date."""
    return int(dt.datetime.fromisoformat(f"{day}T09:00:00+00:00").timestamp())


def _function(name: str, description: str | None, properties: JsonObject, *required: str) -> JsonObject:
    parameters: JsonObject = {"type": "object", "properties": properties, "required": list(required)}
    body: JsonObject = {"name": name, "description": description, "parameters": parameters, "strict": False}
    return {"type": "function", "function": body}


def _assistant(key: str, day: str, **fields: object) -> JsonObject:
    return {
        "id": object_id("asst", key),
        "object": "assistant",
        "created_at": moment(day),
        "description": None,
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
        **fields,
    }


STRING: Final[JsonObject] = {"type": "string"}
FILE_SEARCH: Final[JsonObject] = {
    "type": "file_search",
    "file_search": {
        "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
    },
}
ANSWER_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "description": "The reply to show."},
        "account": {"type": ["string", "null"], "description": "Four digits, or null when none applies."},
        "needs_review": {"type": "boolean"},
    },
    "required": ["answer", "account", "needs_review"],
    "additionalProperties": False,
}

ASSISTANTS: Final[dict[str, JsonObject]] = {
    "desk": _assistant(
        "desk",
        "2024-01-15",
        name="Kitchen Desk",
        description="First line support of the Quillhaven shop",
        model="gpt-4o",
        instructions=(
            "You answer customers of Quillhaven, a shop for kitchenware. Be brief and friendly. "
            "Look into the care manuals before you speak of cleaning or heat. "
            "Ask for the order number before you look up an order.\n"
            "Never promise a refund; say that a colleague decides within two working days."
        ),
        tools=[
            FILE_SEARCH,
            _function("get_order_status", "Where an order is", {"order_number": STRING}, "order_number"),
            _function(
                "check_stock", "Pieces in stock in a shop", {"product": STRING, "shop": STRING}, "product"
            ),
        ],
        tool_resources={"file_search": {"vector_store_ids": [vector_store_id("manuals")]}},
        temperature=0.3,
        metadata={"team": "support", "owner": "Ines Falkner"},
    ),
    "trips": _assistant(
        "trips",
        "2024-03-04",
        name="Trip Planner",
        model="gpt-4o-mini",
        instructions="You plan business trips for Quillhaven's buyers. Trains before flights. 24-hour times.",
        tools=[
            _function(
                "find_trains",
                "Connections",
                {"origin": STRING, "destination": STRING, "date": STRING},
                "date",
            ),
            _function("get_weather", None, {"city": STRING}, "city"),
            _function(
                "find_hotels", "Rooms near a place", {"city": STRING, "nights": {"type": "integer"}}, "city"
            ),
        ],
        metadata={"team": "purchasing"},
    ),
    "ledger": _assistant(
        "ledger",
        "2024-02-12",
        name="Ledger Helper",
        description="Helps the bookkeepers; never books anything by itself",
        model="gpt-4o-2024-08-06",
        instructions="You help bookkeepers. Name the account. If you are not sure, set needs_review to true.",
        tools=[
            {"type": "code_interpreter"},
            _function("get_invoice", "One invoice", {"invoice_number": STRING}, "invoice_number"),
            _function("get_exchange_rate", "Rate of a day", {"currency": STRING, "date": STRING}, "currency"),
        ],
        tool_resources={"code_interpreter": {"file_ids": [file_id("accounts.csv")]}},
        temperature=0.1,
        top_p=0.9,
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "ledger_answer",
                "description": None,
                "schema": ANSWER_SCHEMA,
                "strict": True,
            },
        },
        metadata={"team": "finance"},
    ),
    "kueche": _assistant(
        "kueche",
        "2024-01-22",
        name="Küchenberatung",
        description="Deutschsprachige Beratung",
        model="gpt-4-turbo",
        instructions="Du berätst Kundinnen und Kunden von Quillhaven. Antworte kurz, freundlich und per Sie.",
        tools=[FILE_SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [vector_store_id("manuals")]}},
        temperature=0.7,
    ),
}


def _file(name: str, day: str, size: int, purpose: str = "assistants", *, old: bool = False) -> JsonObject:
    return {
        "object": "file",
        "id": file_id(name, old=old),
        "purpose": purpose,
        # Code interpreter's own files came with their path in the container as their name.
        "filename": f"/mnt/data/{name}" if purpose == "assistants_output" else name,
        "bytes": size,
        "created_at": moment(day),
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }


FILES: Final[tuple[JsonObject, ...]] = (
    _file("care-cast-iron.pdf", "2024-01-16", 184_220),
    _file("care-copper.pdf", "2024-01-16", 201_377),
    _file("pflege-gusseisen.pdf", "2024-01-23", 190_004),
    _file("returns-policy.md", "2025-02-03", 6_120),
    _file("accounts.csv", "2024-02-12", 14_310),
    _file("supplier-contract.pdf", "2025-03-11", 88_431),
    _file("travel-rules-v1.txt", "2024-02-19", 3_877, old=True),
    _file("cracked-pan.jpg", "2025-06-02", 412_090, "vision"),
    _file("quarter-sales.csv", "2025-04-07", 22_816),
    _file("quarter-chart.png", "2025-04-07", 48_207, "assistants_output"),
    _file("margin-chart.png", "2025-10-09", 39_114, "assistants_output"),
    _file("open-items.csv", "2025-09-15", 2_204, "assistants_output"),
)


def _vector_store(key: str, day: str, name: str | None, files: int, **fields: object) -> JsonObject:
    return {
        "id": vector_store_id(key),
        "object": "vector_store",
        "created_at": moment(day),
        "name": name,
        "description": None,
        "usage_bytes": 48_000 * files,
        "file_counts": {"in_progress": 0, "completed": files, "failed": 0, "cancelled": 0, "total": files},
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": moment("2026-08-20"),
        "metadata": {},
        **fields,
    }


VECTOR_STORES: Final[tuple[JsonObject, ...]] = (
    _vector_store("manuals", "2024-01-16", "Care manuals", 4),
    # Stores that the API made for a thread's attachments have no name and expire after seven days unused.
    _vector_store(
        "contract",
        "2025-03-12",
        None,
        1,
        status="expired",
        expires_after={"anchor": "last_active_at", "days": 7},
        expires_at=moment("2025-03-19"),
        last_active_at=moment("2025-03-12"),
    ),
)
