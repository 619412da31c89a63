"""Limits that hold for more than one kind of object: fields, metadata, paging.

Sources, named at each rule: "spec" is the official API description of August 2026, "recorded" is traffic
recorded from the real service in September 2026, "reported" is what its users wrote. Knows no state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.datastructures import QueryParams

from console.sandbox import errors
from console.sandbox.errors import ApiError

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512  # spec: Metadata
ITEMS_A_CALL = 20  # spec: CreateConversationBody.items, createConversationItems
PAGE_DEFAULT, PAGE_LARGEST = 20, 100  # spec: `limit` of every list but files
FILES_PAGE_DEFAULT, FILES_PAGE_LARGEST = 10_000, 10_000  # spec: listFiles

KIND_NAMES: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    bool: "a boolean",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may hold."""

    kinds: tuple[type, ...] = (str,)
    required: bool = False
    nullable: bool = False
    values: tuple[str, ...] = ()
    longest: int | None = None


Shape = Mapping[str, Field]

# Read and checked by the code that uses the field.
ANYTHING = Field((str, int, float, bool, list, dict), nullable=True)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The page that was asked for."""

    limit: int
    order: Literal["asc", "desc"]
    after: str | None = None
    before: str | None = None


def check_fields(value: Mapping[str, Any], shape: Shape, where: str, *, closed: bool = True) -> None:
    """Refuse missing fields, wrong types, values and lengths, and (when `closed`) fields the shape lacks.

    `where` is the path of `value` in the request (`items[0]`), empty at the top.
    """
    prefix = f"{where}." if where else ""
    for name, rule in shape.items():
        if name not in value:
            if rule.required:
                raise errors.missing(prefix + name)
            continue
        _check_field(value[name], rule, prefix + name)
    if closed:
        for name in value:
            if name not in shape:
                raise errors.unknown(prefix + name)


def _check_field(given: object, rule: Field, param: str) -> None:
    if given is None and rule.nullable:
        return
    # bool is an int to Python, not to JSON.
    if not isinstance(given, rule.kinds) or (isinstance(given, bool) and bool not in rule.kinds):
        raise errors.wrong_type(param, " or ".join(KIND_NAMES[kind] for kind in rule.kinds), given)
    if isinstance(given, str):
        if rule.values and given not in rule.values:
            raise errors.wrong_value(param, given, rule.values)
        if rule.longest is not None and len(given) > rule.longest:
            raise errors.too_long(param, rule.longest, len(given))


def check_metadata(value: object, *, nullable: bool = True) -> dict[str, str]:
    """Return metadata that keeps the limits; null means none where it is allowed (spec: CreateConversationBody)."""
    if value is None and nullable:
        return {}
    if not isinstance(value, dict):
        raise errors.wrong_type("metadata", "an object", value)
    if len(value) > METADATA_PAIRS:
        raise ApiError(
            f"Invalid 'metadata': too many properties. Expected an object with at most {METADATA_PAIRS} "
            f"properties, but got an object with {len(value)} properties instead.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, text in value.items():
        if len(key) > METADATA_KEY:
            raise ApiError(
                f"Invalid property name in 'metadata': '{key}' is too long. Expected a string with maximum "
                f"length {METADATA_KEY}, but got a string with length {len(key)} instead.",
                param="metadata",
                code="property_name_above_max_length",
            )
        if not isinstance(text, str):
            raise errors.wrong_type(f"metadata.{key}", "a string", text)
        if len(text) > METADATA_VALUE:
            raise errors.too_long(f"metadata.{key}", METADATA_VALUE, len(text))
    return value


def page_query(query: QueryParams, default: int = PAGE_DEFAULT, largest: int = PAGE_LARGEST) -> PageQuery:
    """Read limit, order, after and before. Without an order the newest come first (spec, for every list)."""
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise errors.wrong_value("order", order, ("asc", "desc"))
    return PageQuery(
        limit=_limit(query.get("limit"), default, largest),
        order="asc" if order == "asc" else "desc",
        after=query.get("after"),
        before=query.get("before"),
    )


def _limit(text: str | None, default: int, largest: int) -> int:
    if text is None:
        return default
    try:
        limit = int(text)
    except ValueError as error:
        raise errors.wrong_type("limit", "an integer", text) from error
    if limit > largest:
        raise ApiError(
            f"Invalid 'limit': integer above maximum value. Expected a value <= {largest}, but got {limit} instead.",
            param="limit",
            code="integer_above_max_value",
        )
    if limit < 1:
        raise ApiError(
            f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} instead.",
            param="limit",
            code="integer_below_min_value",
        )
    return limit
