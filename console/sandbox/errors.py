"""Refusals in the official shape: `{"error": {"message", "type", "param", "code"}}`.

Wording follows answers recorded from the real service where there are any. Imports nothing of the sandbox.
"""

from typing import Any

REQUEST_ERROR = "invalid_request_error"


class ApiError(Exception):
    """A refusal that the client is to see."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type_: str = REQUEST_ERROR,
        param: str | None = None,
        code: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type_
        self.param = param
        self.code = code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """Return the body to send."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


def not_found(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """404: an object, a cursor or a URL that is not there."""
    return ApiError(message, status=404, param=param, code=code)


def missing(param: str) -> ApiError:
    """400: a required field is absent."""
    return ApiError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unknown(param: str) -> ApiError:
    """400: a field that the shape does not have."""
    return ApiError(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    """400: a field of another JSON type; `expected` reads like "a string"."""
    return ApiError(
        f"Invalid type for '{param}': expected {expected}, but got {json_type(value)} instead.",
        param=param,
        code="invalid_type",
    )


def wrong_value(param: str, value: object, supported: tuple[str, ...]) -> ApiError:
    """400: a value outside its list; the sentence is the one users reported."""
    return ApiError(
        f"Invalid value: '{value}'. Supported values are: {listed_in_text(supported)}.",
        param=param,
        code="invalid_value",
    )


def too_long(param: str, longest: int, length: int) -> ApiError:
    """400: a string over its limit, counted in characters."""
    return ApiError(
        f"Invalid '{param}': string too long. Expected a string with maximum length {longest}, "
        f"but got a string with length {length} instead.",
        param=param,
        code="string_above_max_length",
    )


def listed_in_text(values: tuple[str, ...]) -> str:
    """Quote and join: 'a' and 'b'; 'a', 'b', and 'c'."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def json_type(value: object) -> str:
    """Name a value's JSON type with its article, as the service's messages do."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "an integer", float: "a decimal", list: "an array", dict: "an object"}
    return names.get(type(value), "another value")
