"""Reading the environment strictly: what is misspelt stops the start instead of meaning something else.

Used by the settings only; imports nothing of the project.
"""

from __future__ import annotations

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def strict_bool(env: environ.Env, name: str, *, default: bool) -> bool:
    """Read a boolean. django-environ itself reads any unknown word ("flase") as False.

    Raises ImproperlyConfigured on a word that is neither true nor false.
    """
    word = env.str(name, default="on" if default else "off").strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {word!r}: use one of {', '.join(sorted(_TRUE | _FALSE))}.")


def positive_int(env: environ.Env, name: str, *, default: int) -> int:
    """Read a whole number above zero. Raises ImproperlyConfigured on anything else."""
    number = _digits(env, name, default)
    if not number:
        raise ImproperlyConfigured(f"{name} is {_text(env, name, default)!r}: use a whole number above zero.")
    return number


def whole_number(env: environ.Env, name: str, *, default: int) -> int:
    """Read zero or a whole number above it. Raises ImproperlyConfigured on anything else."""
    number = _digits(env, name, default)
    if number is None:
        raise ImproperlyConfigured(
            f"{name} is {_text(env, name, default)!r}: use zero or a whole number above it."
        )
    return number


def _text(env: environ.Env, name: str, default: int) -> str:
    return str(env.str(name, default=str(default))).strip()


def _digits(env: environ.Env, name: str, default: int) -> int | None:
    """The number, or None where there is anything but digits."""
    text = _text(env, name, default)
    return int(text) if text.isascii() and text.isdigit() else None
